"""Learning-rate schedules in DML against their formulas, written out, and against the twin."""

from __future__ import annotations

import numpy as np
import pytest

from largebatch.files.names import Argument
from tests.reference import schedules
from tests.support.harness import DML, Matrix

pytestmark = pytest.mark.systemds

# A few roundings, one of them of a power.
ROUNDING = 1e-14
PEAK = 0.4
T = 100  # updates after the warm-up
BEYOND = 5  # updates looked at after the last
WARMUP = 4
HYPER: dict[str, Argument] = {
    "learning_rate": PEAK, "decay": 0.5, "power": 2.0, "end_learning_rate": 0.1, "factor": 0.1,
    "milestones": "0.5 0.75", "milestone_count": 2,
}  # fmt: skip
# The rate at counts of the schedule itself, which begin behind the warm-up: at the start, on both sides of
# each boundary, at the end and beyond.
COUNTED: dict[str, dict[int, float]] = {
    "constant": {0: 0.4, 1: 0.4, 99: 0.4, 100: 0.4, 104: 0.4},
    "inverse_time": {0: 0.4, 1: 0.4 / 1.5, 2: 0.4 / 2, 99: 0.4 / 50.5, 100: 0.4 / 51, 104: 0.4 / 53},
    "polynomial": {
        0: 0.1 + 0.3 * 1, 1: 0.1 + 0.3 * 0.99**2, 50: 0.1 + 0.3 * 0.5**2, 99: 0.1 + 0.3 * 0.01**2,
        100: 0.1, 101: 0.1, 104: 0.1,
    },
    "cosine": {0: 0.4, 25: 0.25 + 0.15 / 2**0.5, 50: 0.25, 75: 0.25 - 0.15 / 2**0.5, 100: 0.1, 104: 0.1},
    "multi_step": {
        0: 0.4, 49: 0.4, 50: 0.04, 74: 0.04, 75: 0.004, 99: 0.004, 100: 0.004, 104: 0.004,
    },
}  # fmt: skip
every_schedule = pytest.mark.parametrize("schedule", COUNTED)
every_warmup = pytest.mark.parametrize("warmup", [0, WARMUP])


def rates(
    dml: DML, schedule: str, warmup: int, first: int, count: int, *, after: int = T, **hyper: Argument
) -> Matrix:
    """Rates (count,) in DML, of a schedule with `after` updates behind the warm-up; an epoch is an update."""
    arguments: dict[str, Argument] = HYPER | {"schedule": schedule, "warmup_epochs": float(warmup)} | hyper
    arguments["updates"] = warmup + after
    return dml.call("rates.dml", {}, ("rates",), first=first, count=count, **arguments)["rates"][:, 0]


@every_warmup
@every_schedule
def test_rates_are_the_formula_at_every_boundary(dml: DML, schedule: str, warmup: int) -> None:
    found = rates(dml, schedule, warmup, 0, warmup + T + BEYOND)
    counts = COUNTED[schedule]
    np.testing.assert_allclose(found[[warmup + s for s in counts]], list(counts.values()), rtol=ROUNDING)


@every_warmup
@every_schedule
def test_rates_equal_the_twin_at_every_update(dml: DML, schedule: str, warmup: int) -> None:
    found = rates(dml, schedule, warmup, 0, warmup + T + BEYOND)
    hyper = {
        "schedule": schedule, "rate": PEAK, "warmup": warmup, "total": warmup + T, "decay": 0.5, "power": 2.0,
        "end_rate": 0.1, "factor": 0.1, "milestones": [0.5, 0.75],
    }  # fmt: skip
    np.testing.assert_allclose(found, [schedules.rate(hyper, t) for t in range(len(found))], rtol=ROUNDING)


@every_schedule
def test_warmup_climbs_to_the_peak_which_two_updates_then_have(dml: DML, schedule: str) -> None:
    found = rates(dml, schedule, WARMUP, 0, WARMUP + 1)
    np.testing.assert_allclose(found, [0.1, 0.2, 0.3, 0.4, 0.4], rtol=ROUNDING)


@every_warmup
@every_schedule
def test_an_epochs_rates_are_a_slice_of_all(dml: DML, schedule: str, warmup: int) -> None:
    whole = rates(dml, schedule, warmup, 0, 15)
    np.testing.assert_array_equal(rates(dml, schedule, warmup, 10, 5), whole[10:])
    np.testing.assert_array_equal(rates(dml, schedule, warmup, 2, 5), whole[2:7])
    np.testing.assert_array_equal(rates(dml, schedule, warmup, 3, 1), whole[3:4])


def test_a_single_milestone_in_a_schedule_of_odd_length(dml: DML) -> None:
    """0.5 * 7 = 3.5: the fourth update, of count 3, is before it."""
    found = rates(dml, "multi_step", 0, 0, 7, after=7, milestones="0.5", milestone_count=1, factor=0.5)
    assert found.tolist() == [0.4, 0.4, 0.4, 0.4, 0.2, 0.2, 0.2]


def test_a_milestone_is_not_late_by_rounding(dml: DML) -> None:
    """0.55 * 100 is 55.00000000000001 in double precision."""
    found = rates(dml, "multi_step", 0, 54, 3, after=100, milestones="0.55", milestone_count=1, factor=0.5)
    assert found.tolist() == [0.4, 0.2, 0.2]


@pytest.mark.parametrize(("rule", "factor"), [("constant", 1), ("sqrt", 1.5), ("linear", 2.25)])
def test_the_rate_follows_the_batch_size(dml: DML, rule: str, factor: float) -> None:
    """Warm-up leads to the rate of the rule, where the schedule begins; its end is not scaled."""
    hyper: dict[str, Argument] = {"rate_rule": rule, "batch_size": 288, "reference_batch": 128}
    found = rates(dml, "polynomial", 2, 0, 5, after=2, power=1.0, **hyper)
    expected = [0.2 * factor, 0.4 * factor, 0.4 * factor, (0.4 * factor + 0.1) / 2, 0.1]
    np.testing.assert_allclose(found, expected, rtol=ROUNDING)


def test_warmup_may_fill_the_whole_run(dml: DML) -> None:
    """Nothing is left for the schedule."""
    found = rates(dml, "polynomial", 4, 0, 4, after=0)
    np.testing.assert_allclose(found, [0.1, 0.2, 0.3, 0.4], rtol=ROUNDING)
