"""How settings are chosen: the table [tune] of a study, spaces of optimizers, cells of trials. Pure."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from largebatch.errors import UserError
from largebatch.settings.execution import accuracies
from largebatch.settings.ranges import LARGEST, Real, Text, Whole
from largebatch.settings.schedules import rising_fractions
from largebatch.settings.training import Training
from largebatch.settings.values import Settings, check, setting

EPOCHS, UPDATES = "epochs", "updates"  # the budgets: equal for all cells
MOST_SEEDS = 100
MIN_TRIALS, MAX_TRIALS = 2, 512  # of a cell
LEAST_SEEDS = 3  # to call one ahead: with two, half of all differences between equals would hold over both
DIGITS = 4  # of a sampled value, so that it can be read and typed
_TIME = re.compile(r"([1-9]\d{0,3}h)?([1-9]\d{0,4}m)?([1-9]\d{0,6}s)?(?<=[hms])")


@dataclass(frozen=True)
class TuneSettings(Settings):
    """The table [tune]. `trials` or `budget` must be given."""

    trials: int | None = setting(None, "trials of each cell", Whole(MIN_TRIALS, MAX_TRIALS))
    budget: str | None = setting(
        None,
        "time for all that the study runs, in place of trials",
        Text(_TIME, "a time such as 2h or 1h30m"),
    )
    validation_rows: int = setting(0, "rows cut off the training rows to choose by", Whole(low=0))
    seeds: int = setting(
        5, "seeds with which the best of a cell is trained on all rows", Whole(1, MOST_SEEDS)
    )
    sequence: int = setting(1, "seed of the sequence that trials are taken from", Whole(0, LARGEST))
    target: tuple[float, ...] = setting(
        (), "accuracies; the report tells when each was first reached (default: none)", accuracies
    )
    updates: int | None = setting(
        None, "updates of a run in the second budget (default: there is none)", Whole(low=1)
    )
    promote_after: tuple[float, ...] = setting(
        (),
        "fractions of the epochs after which only the best trials go on (default: all go on)",
        lambda values: rising_fractions(values) if values else None,
    )
    promote_share: float = setting(0.25, "share of the trials that goes on", Real(above=0, below=1))

    def __post_init__(self) -> None:
        super().__post_init__()
        check((self.trials is None) != (self.budget is None), "[tune] needs either trials or budget")

    @property
    def seconds(self) -> float | None:
        """The budget in seconds, if there is one."""
        if self.budget is None:
            return None
        units = {"h": 3600, "m": 60, "s": 1}
        return float(sum(int(n) * units[unit] for n, unit in re.findall(r"(\d+)([hms])", self.budget)))

    def promoted_after(self, epochs: int) -> list[int]:
        """The epochs next to the fractions `promote_after`."""
        return [max(1, round(fraction * epochs)) for fraction in self.promote_after]

    def rungs(self, epochs: int) -> tuple[int, ...]:
        """Epochs after which trials are compared; the last one is that of the run."""
        return (*sorted({rung for rung in self.promoted_after(epochs) if rung < epochs}), epochs)


@dataclass(frozen=True)
class Dimension:
    """A setting to choose: a range on a scale, or some values.

    With `complement` the range is that of 1 minus the setting: a momentum near 1 needs such a scale.
    """

    setting: str
    low: float = 0.0
    high: float = 0.0
    logarithmic: bool = False
    complement: bool = False
    values: tuple[Any, ...] = ()

    @property
    def free(self) -> bool:
        """Whether there is more than one value."""
        return len(self.values) != 1

    def value(self, u: float) -> Any:
        """The value at a place u of the range, 0 <= u < 1."""
        if self.values:
            return self.values[int(u * len(self.values))]
        if self.logarithmic:
            found = math.exp(math.log(self.low) + u * (math.log(self.high) - math.log(self.low)))
        else:
            found = self.low + u * (self.high - self.low)
        found = min(max(float(f"{found:.{DIGITS}g}"), self.low), self.high)
        return self._complement(found) if self.complement else found

    @staticmethod
    def _complement(value: float) -> float:
        return round(1 - value, 12)

    def __str__(self) -> str:
        name = f"1 - {self.setting}" if self.complement else self.setting
        if self.values:
            return f"{name}: {', '.join(map(str, self.values))}"
        return f"{name} from {self.low:g} to {self.high:g}{' on a log scale' if self.logarithmic else ''}"

    @property
    def extremes(self) -> tuple[Any, ...]:
        """The values between which all others lie; all of them if they are listed."""
        if self.values:
            return self.values
        return tuple(self._complement(end) if self.complement else end for end in (self.low, self.high))


Space = tuple[Dimension, ...]


@dataclass(frozen=True)
class Tuning:
    """How a study chooses the settings of its runs, each of which stands for a cell: see `Cell`."""

    settings: TuneSettings
    spaces: Mapping[str, Space] = field(default_factory=dict)  # of each optimizer


@dataclass(frozen=True)
class Cell:
    """Trials that compete: of one optimizer at one batch size, with one budget.

    They differ in the settings `dimensions`. After each of the `rungs`, counted in epochs, the best `share`
    of them goes on; the last rung is the trials' end. The best is then trained with some seeds on all rows.
    Without seeds, the cell only times its first trial.
    """

    budget: str
    trials: tuple[Training, ...]
    dimensions: tuple[str, ...]
    rungs: tuple[int, ...]
    share: float
    seeds: int

    @property
    def complete(self) -> bool:
        """Whether it has all its trials, and they come to their end, so that a best one can be chosen."""
        return self.seeds > 0 and self.rungs[-1] == self.trials[0].epochs

    @property
    def title(self) -> str:
        """The optimizer and the batch size."""
        return f"{self.trials[0].optimizer} {self.trials[0].batch_size}"

    def going_on(self, count: int) -> int:
        """How many of some trials go on after a rung."""
        return math.ceil(round(self.share * count, 9))  # 0.28 * 25 is a little more than 7

    def stages(self, count: int) -> list[tuple[int, int]]:
        """From rung to rung, how many of some trials get there, and the epochs of each, if none diverges."""
        found, before = [], 0
        for rung in self.rungs:
            found.append((count, rung - before))
            count, before = self.going_on(count), rung
        return found

    def epochs_of(self, count: int) -> int:
        """Epochs of some trials, if none diverges."""
        return sum(trials * epochs for trials, epochs in self.stages(count))

    def jobs(self, count: int) -> int:
        """Jobs of some trials and of the final runs: a trial needs one to get to each rung."""
        return sum(trials for trials, _ in self.stages(count)) + self.seeds

    def finals(self, best: Training) -> list[Training]:
        """The runs by which the best trial is judged: all training rows, and the test part."""
        whole = dataclasses.replace(best, validation_rows=0, test_part=True)
        return [dataclasses.replace(whole, seed=seed) for seed in range(1, self.seeds + 1)]


@dataclass(frozen=True)
class Tuned:
    """What a study that tunes has so far: its cells, and the final runs of those that are decided."""

    cells: tuple[Cell, ...]
    finals: tuple[Training, ...]


def trial(base: Training, tuning: Tuning, point: tuple[float, ...]) -> Training:
    """A trial: the settings of a cell with values sampled at a point of the unit cube."""
    space = tuning.spaces[base.optimizer]
    free = [dimension for dimension in space if dimension.free]
    fixed = {dimension.setting: dimension.values[0] for dimension in space if not dimension.free}
    sampled = {dimension.setting: dimension.value(u) for dimension, u in zip(free, point, strict=True)}
    rows = tuning.settings.validation_rows
    try:
        return dataclasses.replace(base, **fixed, **sampled, validation_rows=rows, test_part=False)
    except UserError as error:
        raise UserError(f"the space of {base.optimizer}: {error}") from error
