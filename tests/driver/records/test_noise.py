"""The gradient noise scale from sums over updates: against linear regression, and its interval."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from largebatch.records.noise import COLUMNS, SUMS, noise_scales, with_noise_scale
from tests.reference import Floats
from tests.support.training import noise_of

WORKERS, B, D = 4, 64, 5


def sums_of(rng: np.random.Generator, G: Floats, deviation: float, updates: int) -> Floats:
    """The sums of dml/noise_scale.dml over updates whose rows have gradients of mean G and this deviation."""
    total = np.zeros(6)
    for _ in range(updates):
        of_workers = G + deviation / np.sqrt(B / WORKERS) * rng.standard_normal((WORKERS, len(G)))
        total += noise_of(of_workers, of_workers.mean(axis=0), B)
    return total


def test_linear_regression_has_the_noise_scale_of_its_closed_form() -> None:
    """y = x'w0 + e with x standard normal, and e of variance s2; loss (x'w - y)^2 / 2 at w = w0 + d.

    A row's gradient is x (x'd - e), with mean d. Its second moment is E x'x (x'd)^2 + D s2,
    that is (D + 2) |d|^2 + D s2.
    """
    rng, d, s2 = np.random.default_rng(5), np.full(D, 0.3), 0.7
    total = np.zeros(6)
    for _ in range(2000):
        X = rng.standard_normal((B, D))
        of_rows = X * (X @ d - np.sqrt(s2) * rng.standard_normal(B))[:, None]
        of_workers = of_rows.reshape(WORKERS, -1, D).mean(axis=1)
        total += noise_of(of_workers, of_rows.mean(axis=0), B)
    G2 = d @ d
    S = (D + 2) * G2 + D * s2 - G2
    found = dict(zip(COLUMNS, noise_scales(total[None])[0], strict=True))
    assert found["gradient_squared"] == pytest.approx(G2, rel=0.1)
    assert found["gradient_noise"] == pytest.approx(S, rel=0.1)
    assert found["noise_scale"] == pytest.approx(S / G2, rel=0.1)
    assert found["noise_scale_low"] < S / G2 < found["noise_scale_high"] < 1.2 * S / G2


def test_intervals_hold_the_noise_scale_about_as_often_as_they_say() -> None:
    """19 in 20 with 40 updates; 360 or more of 400 would miss by chance once in 10^5."""
    rng, G = np.random.default_rng(6), np.full(50, 0.1)
    intervals = noise_scales(np.array([sums_of(rng, G, 1.0, 40) for _ in range(400)]))[:, 3:]
    truth = 50 / (G @ G)
    held = int(((intervals[:, 0] <= truth) & (truth <= intervals[:, 1])).sum())
    assert 360 <= held <= 396


def test_gradients_that_are_not_told_from_none_have_no_largest_noise_scale() -> None:
    """The estimate of |G|^2 is then above or below zero by chance."""
    found = noise_scales(
        np.array([sums_of(np.random.default_rng(s), np.zeros(50), 1.0, 9) for s in range(9)])
    )
    assert set(np.isnan(found[:, 2])) == {True, False}
    assert (found[:, 4] == np.inf).sum() >= 8


def test_one_update_has_an_estimate_and_no_interval() -> None:
    (found,) = noise_scales(sums_of(np.random.default_rng(1), np.ones(50), 0.1, 1)[None])
    assert found[2] > 0 and np.isnan(found[3:]).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_diverged_epoch_has_no_interval(bad: float) -> None:
    (found,) = noise_scales(np.array([[9, bad, bad, bad, bad, bad]]))
    assert np.isnan(found[2:]).all()


def test_the_columns_take_the_place_of_the_sums() -> None:
    table = pd.DataFrame([[1.0, 2, 4, 6, 8, 18, 12]], columns=["epoch", *SUMS])
    found = with_noise_scale(table)
    assert list(found) == ["epoch", *COLUMNS]
    assert found["noise_scale"].tolist() == [1.5]
    assert list(with_noise_scale(table[["epoch"]])) == ["epoch"]
