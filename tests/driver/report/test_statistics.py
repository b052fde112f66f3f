"""Statistics over seeds: against SciPy, and verdicts on made-up tables both ways."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import bootstrap

from largebatch.report import ranking
from largebatch.report.statistics import bootstrap_interval, paired
from largebatch.report.statistics import ranking as ranks

RESAMPLING = 0.02  # of the spread: two sets of 9999 resamples end their intervals so close


@pytest.mark.parametrize("seeds", [5, 9, 40])
def test_intervals_are_scipys(seeds: int) -> None:
    values = np.random.default_rng(seeds).normal(0.9, 0.01, seeds)
    expected = bootstrap(
        (values,), np.median, method="percentile", random_state=np.random.default_rng(1)
    ).confidence_interval
    found = bootstrap_interval(list(values))
    np.testing.assert_allclose(found, expected, rtol=0, atol=RESAMPLING * np.ptp(values))
    assert bootstrap_interval(list(values)) == found, "equal results, equal reports"


def test_the_interval_of_one_value_is_that_value_and_that_of_diverged_runs_is_endless() -> None:
    assert bootstrap_interval([0.5]) == (0.5, 0.5)
    assert bootstrap_interval([0.5, 0.6, -math.inf]) == (-math.inf, 0.6)


@pytest.mark.parametrize(
    ("one", "other", "ahead", "told"),
    [
        ({1: 0.9, 2: 0.8, 3: 0.7}, {1: 0.89, 2: 0.79, 3: 0.69}, True, True),
        ({1: 0.9, 2: 0.8, 3: 0.7}, {1: 0.91, 2: 0.81, 3: 0.71}, False, True),
        ({1: 0.9, 2: 0.8, 3: 0.7}, {1: 0.89, 2: 0.79, 3: 0.71}, False, False),
        ({1: 0.9, 2: 0.8, 3: 0.7}, {1: 0.89, 2: 0.79, 3: 0.7}, False, False),
        ({1: 0.9, 2: 0.8}, {1: 0.1, 2: 0.1}, False, False),
        ({1: 0.9, 2: 0.8, 3: 0.7}, {4: 0.1, 5: 0.1, 6: 0.1}, False, False),
        ({1: 0.9, 2: 0.8, 3: 0.7, 4: 0.1}, {1: 0.8, 2: 0.7, 3: 0.6, 5: 0.9}, True, True),
        ({1: 0.9, 2: 0.8, 3: 0.7}, {1: 0.8, 2: -math.inf, 3: 0.6}, True, True),
    ],
    ids=[
        "ahead",
        "behind",
        "not every seed",
        "a tie",
        "too few",
        "none shared",
        "the shared ones",
        "diverged",
    ],
)
def test_a_difference_is_told_only_if_it_holds_over_all_shared_seeds(
    one: dict[int, float], other: dict[int, float], ahead: bool, told: bool
) -> None:
    found = paired(one, other)
    assert (found.is_ahead, found.is_told) == (ahead, told)


def test_means_that_differ_may_hide_that_nothing_is_told() -> None:
    """One good seed makes the mean; the medians are in the other order."""
    a, b = {1: 0.70, 2: 0.71, 3: 0.99}, {1: 0.72, 2: 0.73, 3: 0.74}
    first, second = ranks({"a": a, "b": b})
    assert (first.line, second.line) == ("b", "a")
    assert (first.ahead_of, first.beside) == ((), ("a",))


def results(**lines: list[float | None]) -> pd.DataFrame:
    """A row per line and seed at batch size 64; None has diverged."""
    rows = [
        (line, 64, seed, "diverged" if value is None else "finished", math.nan if value is None else value)
        for line, values in lines.items()
        for seed, value in enumerate(values, start=1)
    ]
    return pd.DataFrame(rows, columns=["line", "batch_size", "seed", "status", "test_accuracy"])


def test_the_table_names_the_highest_median_and_what_it_is_ahead_of() -> None:
    (part,) = ranking.part(results(sgd=[0.5, 0.6, 0.7], lars=[0.6, 0.7, 0.8], lamb=[0.55, None, 0.9]))
    assert part.sentences == ["At 1 of 1 batch sizes a line is ahead of another with every seed."]
    assert part.tables[0].rows[1:] == [
        ["64", "lars", "70.00%", "60.00% to 80.00%", "60.00% to 80.00%", "3", "sgd", "lamb"]
    ]


def test_lines_within_each_others_seeds_are_not_told_apart() -> None:
    (part,) = ranking.part(results(sgd=[0.5, 0.6, 0.7], lars=[0.6, 0.5, 0.8]))
    assert part.sentences == ["At 0 of 1 batch sizes a line is ahead of another with every seed."]
    assert part.tables[0].rows[1][-2:] == ["none", "lars"]


@pytest.mark.parametrize(
    "table", [results(sgd=[0.5, 0.6, 0.7]), results(sgd=[0.5, 0.6], lars=[0.1, 0.2]), results()]
)
def test_one_line_or_too_few_seeds_make_no_ranking(table: pd.DataFrame) -> None:
    assert ranking.part(table) == []
