"""Which trials of a cell are due, go on, and are the best: by the validation part, from what is recorded."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import pandas as pd

from largebatch.records.result import Status
from largebatch.settings.training import Training
from largebatch.settings.tuning import Cell


@dataclass(frozen=True)
class Curve:
    """What is recorded of a run: its status, and of each epoch validation accuracy, loss, and seconds.

    `beside` counts the seconds that its last job took beside the epochs. The test part is not looked at.
    """

    status: str = "not begun"
    accuracies: tuple[float, ...] = ()
    losses: tuple[float, ...] = ()
    seconds: tuple[float, ...] = ()
    beside: float = 0.0

    @classmethod
    def of(cls, status: str, metrics: pd.DataFrame, beside: float = 0.0) -> Self:
        """From the rows of metrics.csv."""
        seconds = metrics["seconds"] + metrics["evaluation_seconds"]
        empty = pd.Series(math.nan, index=metrics.index)
        parts = (metrics.get(f"validation_{name}", empty) for name in ("accuracy", "loss"))
        accuracies, losses, times = (tuple(map(float, part)) for part in (*parts, seconds))
        return cls(str(status), accuracies, losses, times, beside)

    @property
    def epochs(self) -> int:
        """Epochs that are recorded."""
        return len(self.seconds)

    @property
    def diverged(self) -> bool:
        """Whether the run has ended early, beyond all use."""
        return self.status == Status.DIVERGED

    def reached(self, epoch: int) -> bool:
        """Whether the run needs no more training up to an epoch."""
        stopped = self.status in (Status.FINISHED, Status.PAUSED) and self.epochs >= epoch
        return self.diverged or stopped or self.epochs > epoch

    def alive(self, epoch: int) -> bool:
        """Whether the run was of use after an epoch; it diverged in its last one, if it did."""
        return self.epochs > epoch or (self.epochs == epoch and not self.diverged)

    def rank(self, epoch: int) -> tuple[float, float]:
        """What runs are ordered by after an epoch, the best first: accuracy, then loss."""
        accuracy, loss = self.accuracies[epoch - 1], self.losses[epoch - 1]
        return (math.inf if math.isnan(accuracy) else -accuracy, math.inf if math.isnan(loss) else loss)


LEAST_VALUES = 3  # of a setting, to speak of an edge

Curves = Callable[[Training], Curve]  # the curve of a run


@dataclass(frozen=True)
class Standing:
    """How a cell stands. `goals` are the epochs up to which trials have been or are being trained.

    `due` are the trials to train now, all up to the epoch `rung`. `best` is the chosen one, None before all
    trials have ended or if all have diverged.
    """

    goals: Mapping[Training, int]
    due: Sequence[Training]
    rung: int
    best: Training | None = None

    @property
    def decided(self) -> bool:
        """Whether all trials have ended."""
        return not self.due


def standing(cell: Cell, curve: Curves) -> Standing:
    """How a cell stands, from the curves of its trials alone: so a study that was killed goes on."""
    waiting, places = list(cell.trials), len(cell.trials)
    goals: dict[Training, int] = {}
    for rung in cell.rungs:
        group = _with_stand_ins(waiting, places, curve, rung)
        goals |= dict.fromkeys(group, rung)
        due = [trial for trial in group if not curve(trial).reached(rung)]
        ranked = _ranked(cell, group, curve, rung)
        if due or not ranked or rung == cell.rungs[-1]:
            break
        waiting, places = ranked, cell.going_on(places)
    best = ranked[0] if ranked and not due and cell.complete else None
    return Standing(goals, due, rung, best)


def _with_stand_ins(waiting: Sequence[Training], places: int, curve: Curves, rung: int) -> list[Training]:
    """The first trials that wait, as many as have a place. If all of them diverge, as many more go on."""
    for count in range(places, len(waiting), places):
        if any(not curve(trial).reached(rung) or curve(trial).alive(rung) for trial in waiting[:count]):
            return list(waiting[:count])
    return list(waiting)


def _ranked(cell: Cell, group: Iterable[Training], curve: Curves, rung: int) -> list[Training]:
    """The trials that are of use after an epoch, the best first; of equal ones that with the lower number."""
    numbers = {trial: number for number, trial in enumerate(cell.trials)}
    alive = [trial for trial in group if curve(trial).alive(rung)]
    return sorted(alive, key=lambda trial: (curve(trial).rank(rung), numbers[trial]))


def edges(cell: Cell, best: Training) -> list[str]:
    """The settings whose best value is the lowest or highest that was tried, as "learning_rate highest".

    One of two listed values is always at an end, and says nothing. Switches and texts have no ends.
    """
    found = []
    for name in cell.dimensions:
        tried: list[Any] = [getattr(trial, name) for trial in cell.trials]
        value = getattr(best, name)
        if not isinstance(value, int | float) or isinstance(value, bool) or len(set(tried)) < LEAST_VALUES:
            continue
        found += [
            f"{name} {end}" for end, most in (("lowest", min), ("highest", max)) if value == most(tried)
        ]
    return found
