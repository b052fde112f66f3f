"""Trainings that have to give the same: however it is spread, sliced, and added up."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from largebatch.settings.optimizers import OPTIMIZERS
from tests.support.training import CLASSES, SETTINGS, Trained, Trainer, dealt_out_to, synthetic

pytestmark = pytest.mark.systemds

# The same sums in another order: over two epochs roundings of 1e-16 grow to some 1e-13.
ROUNDING = 1e-10
SGD_MOMENTUM: dict[str, Any] = {"optimizer": "sgd_momentum", "learning_rate": 0.05}


def assert_same(found: Trained, expected: Trained) -> None:
    np.testing.assert_allclose(found.parameters(), expected.parameters(), rtol=0, atol=ROUNDING)
    np.testing.assert_allclose(found.metrics(), expected.metrics(), rtol=ROUNDING, atol=ROUNDING)


@pytest.mark.parametrize(
    ("workers", "optimizer"),
    [
        (1, SGD_MOMENTUM),
        (8, {}),
        *(
            (1, {"optimizer": name, "network": "softmax", "learning_rate": 0.05})
            for name in ("sgd", "nesterov", "adam", "adamw", "lamb")
        ),
    ],
    ids=lambda value: value if isinstance(value, int) else value.get("optimizer", "lars"),
)
def test_workers_that_share_the_same_batches_give_the_same(
    train: Trainer, workers: int, optimizer: dict[str, Any]
) -> None:
    """Of equal global batches, the last one of an epoch smaller: 1 x 64 rows, 4 x 16, 8 x 8.

    Which rows make up a batch depends on the number of workers, so the data are rearranged for each epoch.
    """
    data = synthetic()
    _, orders = train.start(SETTINGS, len(data.y_train))
    first = train(dealt_out_to(workers, data, orders[:, 0]), workers=workers, **optimizer | {"epochs": 1})
    second = train(
        dealt_out_to(workers, data, orders[:, 1]),
        workers=workers, resume=str(first.checkpoint(1)), **optimizer,
    )  # fmt: skip
    np.testing.assert_allclose(second.parameters(2), train(**optimizer).parameters(2), rtol=0, atol=ROUNDING)


@pytest.mark.spark
def test_spark_gives_the_same_as_local(train: Trainer) -> None:
    """SGD with momentum; LARS does in the tests of the command line."""
    assert_same(train(mode="REMOTE_SPARK", **SGD_MOMENTUM), train(**SGD_MOMENTUM))


@pytest.mark.spark
@pytest.mark.parametrize("optimizer", sorted(set(OPTIMIZERS) - {"lars", "sgd_momentum"}))
def test_spark_gives_the_same_as_local_with_every_optimizer(train: Trainer, optimizer: str) -> None:
    settings: dict[str, Any] = {"network": "softmax", "optimizer": optimizer, "learning_rate": 0.05}
    assert_same(train(mode="REMOTE_SPARK", epochs=1, **settings), train(epochs=1, **settings))


def test_extrapolation_with_a_rate_of_zero_is_nesterov_momentum_to_the_last_bit(train: Trainer) -> None:
    settings: dict[str, Any] = {"network": "softmax", "learning_rate": 0.05}
    extrapolated = train(optimizer="extrap_sgd", extrapolation_rate=0, **settings)
    nesterov = train(optimizer="nesterov", **settings)
    np.testing.assert_array_equal(extrapolated.parameters(), nesterov.parameters())
    np.testing.assert_array_equal(extrapolated.metrics(), nesterov.metrics())


def test_noise_and_past_gradients_lead_elsewhere(train: Trainer) -> None:
    kinds = ("past_gradient", "uniform_noise", "gaussian_noise", "none")
    settings: dict[str, Any] = {"network": "softmax", "optimizer": "extrap_sgd", "learning_rate": 0.05}
    ends = [train(extrapolation=kind, epochs=1, **settings).parameters()[:, 0] for kind in kinds]
    assert not any(np.allclose(a, b, rtol=1e-6) for a, b in itertools.combinations(ends, 2))


@pytest.mark.parametrize("micro_batch", [7, 16])
def test_micro_batches_give_the_same_as_none(train: Trainer, micro_batch: int) -> None:
    """Two updates an epoch, of 32 and 28 rows per worker; 512 is no slicing at all."""
    assert_same(train(batch_size=128, micro_batch=micro_batch), train(batch_size=128, micro_batch=512))


@pytest.mark.parametrize("deterministic", [True, False])
def test_a_worker_whose_gradient_is_zero_takes_nothing_from_the_others(
    train: Trainer, deterministic: bool
) -> None:
    """Blank images, as many of each class, from which softmax starts with a gradient of exactly zero."""
    rows = SETTINGS["batch_size"]
    _, orders = train.start(SETTINGS | {"network": "softmax"}, rows)
    first, *others = np.split(orders[:, 0], SETTINGS["workers"])
    data = synthetic(rows)
    for part in others:
        data.X_train[part] = 0
        data.y_train[part] = np.arange(len(part)) % CLASSES + 1
    assert data.X_train[first].any()
    settings = SGD_MOMENTUM | {"network": "softmax", "epochs": 1, "deterministic": deterministic}
    found, expected = (train(data, workers=workers, **settings) for workers in (4, 1))
    np.testing.assert_allclose(found.parameters(), expected.parameters(), rtol=0, atol=ROUNDING)


def test_gradients_added_up_as_they_arrive_give_the_same(train: Trainer) -> None:
    assert_same(train(deterministic=False), train())


def test_a_batch_larger_than_the_data_is_all_of_them(train: Trainer) -> None:
    assert_same(train(batch_size=1024), train(batch_size=240))


@pytest.mark.parametrize(("test_rows", "workers"), [(1, 4), (3, 4), (5, 4), (10, 4), (10, 8)])
def test_test_sets_of_few_rows_are_evaluated(train: Trainer, test_rows: int, workers: int) -> None:
    """Fewer than workers, or so few that not every worker gets equally many."""
    few = synthetic(240, test_rows)
    trained = train(few, network="softmax", workers=workers, epochs=1)
    alone = train(few, network="softmax", workers=workers, epochs=1, micro_batch=1)
    assert 0 <= trained.column("test_accuracy")[0] <= 1
    assert_same(trained, alone)
