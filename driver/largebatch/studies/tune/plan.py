"""The cells of a study that tunes: a function of the study and of what is recorded of its runs."""

from __future__ import annotations

import dataclasses
import itertools
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from largebatch.errors import UserError
from largebatch.runs.preflight import updates_per_epoch
from largebatch.settings.study import Study
from largebatch.settings.training import Training
from largebatch.settings.tuning import (
    EPOCHS,
    MAX_TRIALS,
    MIN_TRIALS,
    UPDATES,
    Cell,
    Dimension,
    Tuning,
    trial,
)
from largebatch.studies.estimate import SESSION_START_S
from largebatch.terminal.words import counted
from largebatch.tuning.sampling import Point, different
from largebatch.tuning.select import Curves


@dataclass
class Plan:
    """Makes the cells.

    `rows(training)` counts the training rows of a run. `known` is the number of trials, once it is known:
    then it stays.

    Raises UserError for settings that no run can have.
    """

    study: Study
    tuning: Tuning
    rows: Callable[[Training], int]
    known: int | None = None
    _made: dict[int, list[Cell]] = field(default_factory=dict)  # by the number of trials

    def cells(self, curve: Curves) -> list[Cell]:
        """The cells. If the number of trials is unknown, each has one up to its first rung, to be timed."""
        if self.known is None:
            self._cells(MIN_TRIALS)  # a space that is too small for them is refused before anything runs
            single = self._cells(1)
            if not all(_times(cell, curve) for cell in single):
                return [dataclasses.replace(cell, rungs=cell.rungs[:1], seeds=0) for cell in single]
            self.known = self._affordable(single, curve)
        return self._cells(self.known)

    @property
    def left_out(self) -> list[str]:
        """A sentence for each batch size that has no budget of equal updates."""
        updates = self.tuning.settings.updates
        few = [run for run in self.study.runs if updates is not None and not self._epochs_of_updates(run)]
        reasons = {run.batch_size: self._too_few(run) for run in few}
        return [
            f"Batch size {size} has no budget of {updates} updates, as {reason}."
            for size, reason in reasons.items()
        ]

    @property
    def epochs_of_updates(self) -> dict[int, int]:
        """The epochs of the budget of updates at each batch size that has it."""
        found = {run.batch_size: self._epochs_of_updates(run) for run in self.study.runs}
        return {size: epochs for size, epochs in found.items() if epochs}

    def _too_few(self, run: Training) -> str:
        made = self._updates(run)
        if not self._nearest_epochs(run):
            return f"it makes {made} in an epoch"
        return f"with {made} in an epoch the learning rate would rise for more than half of them"

    def _cells(self, trials: int) -> list[Cell]:
        if trials not in self._made:
            self._made[trials] = self._make(trials)
        return self._made[trials]

    def _make(self, trials: int) -> list[Cell]:
        found = [self._cell(base, EPOCHS, trials) for base in self.study.runs]
        if self.tuning.settings.updates is None:
            return found
        epochs = {base: self._epochs_of_updates(base) for base in self.study.runs}
        return found + [self._cell(_lasting(b, n), UPDATES, trials) for b, n in epochs.items() if n]

    def _cell(self, base: Training, budget: str, count: int) -> Cell:
        settings = self.tuning.settings
        sampled = self._points(base.optimizer, count)
        if (there := len(sampled)) < count:
            lower = settings.trials is not None and there >= MIN_TRIALS
            fewer = f"lower trials of [tune] to {there}, or " if lower else ""
            raise UserError(
                f"{counted(count, 'trial')} of {base.optimizer} would have "
                f"{counted(there, 'different setting')}: {fewer}give [space.{base.optimizer}] a wider range"
            )
        trials = tuple(trial(base, self.tuning, point) for point in sampled)
        free = tuple(dimension.setting for dimension in self._free(base.optimizer))
        rungs = settings.rungs(base.epochs)
        return Cell(budget, trials, free, rungs, settings.promote_share, settings.seeds)

    def _free(self, optimizer: str) -> list[Dimension]:
        return [dimension for dimension in self.tuning.spaces[optimizer] if dimension.free]

    def _points(self, optimizer: str, count: int) -> tuple[Point, ...]:
        """So many different points of an optimizer's space; all if there are fewer."""
        return different(count, self._free(optimizer), self.tuning.settings.sequence)

    def _updates(self, base: Training) -> int:
        return updates_per_epoch(base, self.rows(base))

    def _epochs_of_updates(self, base: Training) -> int:
        """The epochs of the budget of updates; 0 if it has too few of them, or they are mostly warm-up."""
        epochs = self._nearest_epochs(base)
        return 0 if 2 * self._longest_warmup(base) > epochs else epochs

    def _longest_warmup(self, base: Training) -> float:
        """The most epochs of warm-up that a trial may draw."""
        drawn = [d for d in self.tuning.spaces[base.optimizer] if d.setting == "warmup_epochs"]
        return max((value for d in drawn for value in d.extremes), default=base.warmup_epochs)

    def _nearest_epochs(self, base: Training) -> int:
        """Whole epochs next to the budget of updates; 0 if it is less than half an epoch."""
        return int((self.tuning.settings.updates or 0) / self._updates(base) + 0.5)

    # ---- a budget of time ----

    def _affordable(self, single: Sequence[Cell], curve: Curves) -> int:
        """The most trials for each cell that the time and the spaces suffice for, final runs included."""
        budget = self.tuning.settings.seconds or 0
        most = min(len(self._points(optimizer, MAX_TRIALS)) for optimizer in self.tuning.spaces)
        counts = itertools.takewhile(
            lambda count: self._seconds(count, single, curve) <= budget, range(MIN_TRIALS, most + 1)
        )
        return max(counts, default=MIN_TRIALS)

    def _seconds(self, count: int, single: Sequence[Cell], curve: Curves) -> float:
        """The time of all runs, from the first trials: their epochs, and what jobs take beside these.

        The first job of a session takes longest to begin, so a job counts with the median over the cells.
        Where snapshots are evaluated they take most of it, and they come with the epochs.
        """
        cells = distinct(single)
        jobs = [cell for cell in cells if not cell.trials[0].evaluate_every]
        of_job = statistics.median([curve(cell.trials[0]).beside for cell in jobs] or [0.0])
        total = SESSION_START_S + of_job * sum(cell.jobs(count) for cell in jobs)
        for cell in cells:
            times, first = _times(cell, curve), cell.trials[0]
            of_epoch = sum(times) / len(times)
            if first.evaluate_every:
                of_epoch += curve(first).beside / curve(first).epochs
            total += self.epochs(cell, count) * of_epoch
        return total

    def epochs(self, cell: Cell, count: int) -> float:
        """Epochs of some trials of a cell, and of its final runs, counted in those of a trial's rows."""
        first = cell.trials[0]
        final = cell.finals(first)
        whole = self.rows(final[0]) / self.rows(first) if final else 0
        return cell.epochs_of(count) + whole * len(final) * first.epochs


def distinct(cells: Iterable[Cell]) -> list[Cell]:
    """Without the cells that another budget has, too: their runs are carried out once."""
    found: dict[tuple[Training, ...], Cell] = {}
    for cell in cells:
        found.setdefault(cell.trials, cell)
    return list(found.values())


def _times(cell: Cell, curve: Curves) -> tuple[float, ...]:
    """Seconds of the first trial's epochs up to its first rung; none if it has not got there."""
    recorded, rung = curve(cell.trials[0]), cell.rungs[0]
    return recorded.seconds[:rung] if recorded.reached(rung) else ()


def _lasting(base: Training, epochs: int) -> Training:
    try:
        return dataclasses.replace(base, epochs=epochs)
    except UserError as error:
        raise UserError(f"{base.optimizer} {base.batch_size} in {epochs} epochs: {error}") from error
