"""What is left to do in a study that tunes, in epochs and in time: in a table, and while it is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from largebatch.settings.training import Training
from largebatch.settings.tuning import Cell
from largebatch.studies.estimate import Timing
from largebatch.studies.remaining import Remaining
from largebatch.studies.tasks import Task
from largebatch.studies.tune.plan import distinct
from largebatch.studies.tune.queue import Recorded
from largebatch.terminal.progress import duration
from largebatch.terminal.table import align
from largebatch.terminal.words import counted
from largebatch.tuning.select import Curve, standing


@dataclass(frozen=True)
class Work:
    """Epochs of a cell's runs, trials or final ones, of which some are done. `run` stands for all."""

    cell: Cell
    run: Training
    rows: int  # training rows
    planned: int
    done: int

    @property
    def left(self) -> int:
        """Epochs to do, if no trial diverges."""
        return self.planned - self.done


def work(recorded: Recorded) -> list[Work]:
    """The trials and the final runs of each wanted cell. What two budgets share is there once."""
    return [part for cell in distinct(recorded.wanted_cells) for part in _of_cell(cell, recorded)]


def _of_cell(cell: Cell, recorded: Recorded) -> list[Work]:
    plan, stands = recorded.plan, standing(cell, recorded.curve)
    first = cell.trials[0]
    done = sum(_done(recorded.curve(trial), goal) for trial, goal in stands.goals.items())
    planned = done if stands.decided else max(done, cell.epochs_of(len(cell.trials)))
    found = [Work(cell, first, plan.rows(first), planned, done)]
    finals = recorded.finals(cell)
    expected = [] if stands.decided else cell.finals(first)
    if runs := finals or expected:
        done = sum(_done(recorded.curve(run), run.epochs) for run in finals)
        found.append(Work(cell, runs[0], plan.rows(runs[0]), sum(run.epochs for run in runs), done))
    return found


def _done(curve: Curve, goal: int) -> int:
    """Epochs towards a goal, which a run that has diverged will get no nearer to."""
    return goal if curve.diverged else min(curve.epochs, goal)


class WorkRemaining(Remaining):
    """The epochs that are left in all, also of runs that are not known yet."""

    def __init__(self, parts: Sequence[Work], timing: Timing, jobs: int) -> None:
        super().__init__((), timing, jobs)
        self._parts = parts
        self._done = sum(part.done for part in parts)
        self._total = sum(part.planned for part in parts)
        self._to_do = self._total - self._done

    def replan(self, parts: Sequence[Work]) -> None:
        """Count anew what is planned: a budget of time tells its number of trials after the first ones."""
        with self._lock:
            self._parts = parts
            self._total = sum(part.planned for part in parts)
            self._to_do = sum(part.left for part in parts)

    def epoch_done(self, task: Task, seconds: float) -> None:
        super().epoch_done(task, seconds)
        self._done += 1

    def __str__(self) -> str:
        with self._lock:
            share = (self._total - self._done) / self._to_do if self._to_do else 0.0
            seconds = share * sum(part.left * self._timing.epoch(part.run, part.rows) for part in self._parts)
        return f"{self._done}/{self._total} epochs of all, {duration(max(0.0, seconds) / self._jobs)} left"


# ---- before anything runs ----


def format_work(parts: Sequence[Work], timing: Timing, jobs: int) -> str:
    """A line for the trials and for the final runs of each cell, and the sum."""
    rows = [["cell", "budget", "runs", "epochs each", "epochs to do", "time"]]
    rows += [
        [
            part.cell.title,
            part.cell.budget,
            _runs(part),
            str(part.run.epochs),
            str(part.left),
            duration(_seconds(part, timing)),
        ]
        for part in parts
    ]
    return f"{align(rows)}\n{total(parts, timing, jobs)} ({timing.basis})"


def total(parts: Sequence[Work], timing: Timing, jobs: int) -> str:
    """The epochs to do and their time, in words."""
    seconds = sum(_seconds(part, timing) for part in parts) / jobs
    return f"{counted(sum(part.left for part in parts), 'epoch')} to do, about {duration(seconds)}"


def _seconds(part: Work, timing: Timing) -> float:
    return part.left * timing.epoch(part.run, part.rows)


def _runs(part: Work) -> str:
    cell = part.cell
    return counted(len(cell.trials), "trial") if part.run in cell.trials else counted(cell.seeds, "seed")
