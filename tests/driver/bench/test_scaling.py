"""The model of epoch times against the number of workers."""

from __future__ import annotations

import dataclasses

import pytest

from largebatch.bench.scaling import Measured, Model, extrapolated_rows, fit


def model_of(
    epoch: float = 0.0, update: float = 0.0, worker: float = 0.0, image: float = 0.0, data: float = 0.0
) -> Model:
    return Model(epoch, update, worker, image, error=0.0, pushed=1e6, pulled=2e6, data=data)


def epochs_of(model: Model, cores: int) -> list[Measured]:
    """What a machine that follows the model would give."""
    return [
        Measured(
            workers=k,
            batch_size=4096 // u,
            images=4096,
            updates=u,
            seconds=model.epoch_seconds(k, u, 4096, cores),
            pushed=u * k * model.pushed,
            pulled=u * k * model.pulled + model.data,
        )
        for k in (1, 2, 4, 8)
        for u in (2, 8, 32)
    ]


def test_the_model_is_found_again_from_what_it_gives() -> None:
    model = model_of(epoch=0.5, update=0.010, worker=0.004, image=250e-6, data=1e8)
    found = fit(epochs_of(model, 2), cores=2)
    assert dataclasses.astuple(found) == pytest.approx(dataclasses.astuple(model), rel=1e-6, abs=1e-9)


def test_no_fitted_cost_is_below_zero() -> None:
    found = fit(epochs_of(model_of(epoch=-0.001, update=0.010, worker=0.004, image=250e-6), 2), cores=2)
    assert min(dataclasses.astuple(found)) >= 0
    assert 0 < found.error < 0.01


def test_the_best_number_of_workers_balances_server_and_arithmetic() -> None:
    """d/dk (s k + c B / k) = 0 at k = sqrt(c B / s)."""
    model = model_of(worker=0.004, image=250e-6)
    assert model.best_workers(1024) == 8
    assert model.update_seconds(8, 1024) == pytest.approx(2 * 8 * 0.004)
    assert model.best_workers(1024, 2e9) == 4  # 3 MB take 12 ms
    assert model.best_workers(10**9) == 1024


def test_extrapolation_takes_the_network_into_account() -> None:
    (_, row) = extrapolated_rows(model_of(image=1e-3), [2400])
    # 3 MB take 24 ms at 1 Gbit/s: k = sqrt(2.4 / 0.024) = 10, 480 ms; 2.4 ms at 10: 31.6, 152 ms
    assert row == ["2400", "2400", "10", "480", "5.0", "32", "152", "15.8"]
