"""The gradient noise scale from sums over updates: against linear regression, and its interval."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from largebatch.records.noise import COLUMNS, SUMS, noise_scales, with_noise_scale
from tests.reference import Floats
from tests.support.training import noise_of

WORKERS, B, D = 4, 64, 5
T2 = 4.302653  # below it lie 97.5 % of Student's distribution with two degrees of freedom


def sums_of(rng: np.random.Generator, G: Floats, deviation: float, batches: Sequence[int]) -> Floats:
    """The sums of dml/noise_scale.dml over batches of so many rows, of gradients of mean G."""
    total = np.zeros(6)
    for rows in batches:
        of_workers = G + deviation / np.sqrt(rows / WORKERS) * rng.standard_normal((WORKERS, len(G)))
        total += noise_of(of_workers, of_workers.mean(axis=0), rows, max(batches))
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
        total += noise_of(of_workers, of_rows.mean(axis=0), B, B)
    G2 = d @ d
    S = (D + 2) * G2 + D * s2 - G2
    found = dict(zip(COLUMNS, noise_scales(total[None])[0], strict=True))
    assert found["gradient_squared"] == pytest.approx(G2, rel=0.1)
    assert found["gradient_noise"] == pytest.approx(S, rel=0.1)
    assert found["noise_scale"] == pytest.approx(S / G2, rel=0.1)
    assert found["noise_scale_low"] < S / G2 < found["noise_scale_high"] < 1.2 * S / G2


@pytest.mark.parametrize("of_parameter", [0.1, 0.03])
def test_intervals_hold_the_noise_scale_about_as_often_as_they_say(of_parameter: float) -> None:
    """19 in 20 with 40 updates; of 400, other counts than these come by chance once in 10^4.

    Nearly all intervals of the first gradient are bounded; most of the second, smaller one are not.
    """
    rng, G = np.random.default_rng(6), np.full(50, of_parameter)
    low, high = noise_scales(np.array([sums_of(rng, G, 1.0, [B] * 40) for _ in range(400)]))[:, 3:].T
    truth = 50 / (G @ G)
    held = int(((low <= truth) & (truth <= high)).sum())
    assert 362 <= held <= 395
    assert int((low > truth).sum()) <= 25, "2.5 % on either side"


def test_intervals_hold_what_a_t_test_does_not_reject() -> None:
    """A noise scale x is not rejected where the mean of S - x |G|^2 over the updates may be zero.

    The interval is the smallest that holds all such x >= 0, whether it has a lower end, an upper end, or an
    estimate.
    """
    rng, grid = np.random.default_rng(9), np.append(0, np.geomspace(1e-3, 1e3, 601))
    kinds = set()
    for _ in range(300):
        G2, S = rng.normal(rng.uniform(-2, 3, 2), rng.uniform(0.1, 3, 2), (3, 2)).T
        S = np.abs(S)  # as it is in every update
        sums = [3, G2.sum(), S.sum(), (G2**2).sum(), (S**2).sum(), (G2 * S).sum()]
        low, high = noise_scales(np.array([sums]))[0, 3:]
        if t_of_mean(G2) < -T2:
            assert (low, high) == (0, np.inf), "a |G|^2 below zero tells nothing"
            continue
        accepted = grid[[abs(t_of_mean(S - x * G2)) <= T2 for x in grid]]
        assert low <= accepted[0] <= max(low * grid[2] / grid[1], grid[1])
        assert accepted[-1] <= high
        assert accepted[-1] == grid[-1] or high <= accepted[-1] * grid[2] / grid[1]
        kinds.add((low > 0, high < np.inf, G2.mean() > 0))
    assert {(True, True, True), (True, False, True), (True, False, False), (False, False, True)} <= kinds


def t_of_mean(values: Floats) -> float:
    """Student's statistic for a mean of zero."""
    return float(values.mean() / (values.std(ddof=1) / np.sqrt(len(values))))


def test_gradients_that_are_not_told_from_none_have_a_smallest_noise_scale_and_no_largest() -> None:
    """The estimate of |G|^2 is then above or below zero by chance."""
    found = noise_scales(
        np.array([sums_of(np.random.default_rng(s), np.zeros(50), 1.0, [B] * 9) for s in range(9)])
    )
    assert set(np.isnan(found[:, 2])) == {True, False}
    low, high = found[:, 3:].T
    assert (high == np.inf).sum() >= 8
    assert (low > B).sum() >= 8, "above the batch size, at which noise already hides the gradient"


@pytest.mark.parametrize("last", [32, 2048, 4096, 6144])
def test_the_last_batch_of_an_epoch_spoils_no_estimate_however_small_it_is(last: int) -> None:
    """Seven batches of 8192 rows, and the rest. The noise of |G|^2 grows as the rows get fewer."""
    rng, G = np.random.default_rng(7), np.full(50, 0.01)
    found = noise_scales(np.array([sums_of(rng, G, 1.0, [8192] * 7 + [last]) for _ in range(300)]))
    _, _, scale, low, high = found.T
    truth = 50 / (G @ G)
    assert np.median(scale) == pytest.approx(truth, rel=0.05)
    assert found[:, 0].std() < 0.18 * (G @ G), "0.16 without the rest"
    assert np.isfinite(high).mean() > 0.98
    assert 0.91 <= ((low <= truth) & (truth <= high)).mean() <= 0.99


def test_one_update_has_an_estimate_and_no_interval() -> None:
    (found,) = noise_scales(sums_of(np.random.default_rng(1), np.ones(50), 0.1, [B])[None])
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
