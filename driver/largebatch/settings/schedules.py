"""Learning-rate schedules: their names and settings. The mathematics is in dml/schedules.dml."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from largebatch.files.names import Argument
from largebatch.settings.ranges import Choice, Real, Whole
from largebatch.settings.values import Settings, setting


@dataclass(frozen=True)
class Schedule:
    """A schedule: its own of the settings below, and whether its rates depend on the number of epochs."""

    settings: tuple[str, ...] = ()
    needs_end: bool = False


SCHEDULES = {
    "inverse_time": Schedule(("decay",)),
    "constant": Schedule(),
    "polynomial": Schedule(("power", "end_learning_rate"), needs_end=True),
    "cosine": Schedule(("end_learning_rate",), needs_end=True),
    "multi_step": Schedule(("factor", "milestones"), needs_end=True),
}


@dataclass(frozen=True)
class RateRule:
    """How the learning rate follows the batch size, and the rule's own of the settings below."""

    settings: tuple[str, ...] = ()


RATE_RULES = {
    "constant": RateRule(),
    "sqrt": RateRule(("reference_batch",)),
    "linear": RateRule(("reference_batch",)),
}


def rising_fractions(values: tuple[float, ...]) -> str | None:
    """What is wrong with values that are not fractions in rising order; None if nothing is."""
    rising = all(a < b for a, b in itertools.pairwise(values))
    if values and rising and all(0 < value < 1 for value in values):
        return None
    return "must be fractions between 0 and 1 in rising order, such as 0.5,0.75"


def _milestones(values: tuple[float, ...]) -> dict[str, Argument]:
    """DML reads a matrix from a text of numbers, and must know how many there are."""
    return {"milestones": " ".join(repr(float(v)) for v in values), "milestone_count": len(values)}


@dataclass(frozen=True)
class ScheduleSettings(Settings):
    """The choice of a schedule, and the settings of schedules."""

    schedule: str = setting("inverse_time", "learning-rate schedule", Choice(SCHEDULES))
    decay: float = setting(0.0001, "rate / (1 + decay * updates)", Real(low=0), of="schedule")
    power: float = setting(
        2.0, "exponent of the remaining share of the updates after the warm-up", Real(low=0), of="schedule"
    )
    end_learning_rate: float = setting(0.0, "rate at the end", Real(low=0), of="schedule")
    factor: float = setting(0.1, "rate * factor at each milestone", Real(low=0), of="schedule")
    milestones: tuple[float, ...] = setting(
        (0.5, 0.75),
        "fractions of the updates after the warm-up, separated by commas",
        rising_fractions,
        of="schedule",
        dml=_milestones,
    )
    rate_rule: str = setting(
        "constant",
        "how the learning rate follows the batch size: not, or by sqrt(batch size / reference batch) or "
        "batch size / reference batch",
        Choice(RATE_RULES),
    )
    reference_batch: int = setting(
        128, "batch size at which the learning rate is as given", Whole(low=1), of="rate_rule"
    )
    warmup_epochs: float = setting(0.0, "epochs of linear warm-up, may be fractional", Real(low=0))
