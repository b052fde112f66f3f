"""The runs that are due in a study that tunes: trials rung by rung, then the best with several seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from largebatch.errors import UserError
from largebatch.records.metrics import no_epochs
from largebatch.records.result import Result
from largebatch.records.run_folder import RunFolder
from largebatch.settings.study import run_name
from largebatch.settings.training import Training
from largebatch.settings.tuning import Cell, Tuned
from largebatch.studies.queue import Fits
from largebatch.studies.tasks import Task
from largebatch.studies.tune.plan import Plan
from largebatch.tuning.select import Curve, standing


def read_curve(folder: RunFolder) -> Curve:
    """What a run's folder has so far."""
    result = folder.result()
    try:
        metrics = folder.metrics() if folder.metrics_file.exists() else no_epochs()
    except UserError:
        metrics = no_epochs()
    # A run without all epochs of its result is due again: then its metrics are restored.
    if result is None or len(metrics) != result.epochs:
        return Curve.of("unfinished", metrics)
    return Curve.of(result.status, metrics, result.overhead_seconds or 0.0)


@dataclass
class Recorded:
    """What is recorded of a study's runs, and the cells and final runs that follow from it.

    `wanted` has a run of each cell that is to be carried out now.
    """

    plan: Plan
    folder: Callable[[Training], RunFolder]  # of a run
    wanted: Sequence[Training]
    _curves: dict[Training, Curve] = field(default_factory=dict)

    def curve(self, run: Training) -> Curve:
        """The curve of a run; it is read once."""
        if run not in self._curves:
            self._curves[run] = read_curve(self.folder(run))
        return self._curves[run]

    def wants(self, run: Training) -> bool:
        """Whether a run is of a wanted cell."""
        return any((one.optimizer, one.batch_size) == (run.optimizer, run.batch_size) for one in self.wanted)

    def forget(self, run: Training) -> None:
        """Read a run's curve again when it is asked for."""
        self._curves.pop(run, None)

    def forget_all(self) -> None:
        """Read all curves again."""
        self._curves.clear()

    @property
    def tuned(self) -> Tuned:
        """The cells, and the final runs of those that are decided."""
        cells = tuple(self.plan.cells(self.curve))
        finals = dict.fromkeys(run for cell in cells for run in self.finals(cell))
        return Tuned(cells, tuple(finals))

    @property
    def wanted_cells(self) -> list[Cell]:
        """The cells that are to be carried out now."""
        return [cell for cell in self.plan.cells(self.curve) if self.wants(cell.trials[0])]

    def finals(self, cell: Cell) -> list[Training]:
        """The final runs of a cell; none before it is decided."""
        best = standing(cell, self.curve).best
        return [] if best is None else cell.finals(best)

    def due(self) -> list[tuple[Training, int]]:
        """Runs to train, and up to which epoch: short trials of all cells first, final runs last."""
        found: dict[Training, tuple[bool, int]] = {}
        for cell in self.wanted_cells:
            stands = standing(cell, self.curve)
            found |= dict.fromkeys(stands.due, (False, stands.rung))
            for run in self.finals(cell):
                if not self.curve(run).reached(run.epochs):
                    found[run] = (True, run.epochs)
        order = sorted(found.items(), key=lambda item: item[1])
        return [(run, epoch) for run, (_, epoch) in order]


class TuneQueue:
    """Gives the runs that are due. `task(run, until)` makes one; `decided` is called when cells have changed.

    A run that fails is not tried again, so its cell stops there: no cell gets a trial fewer than another.
    """

    may_grow = True

    def __init__(
        self, recorded: Recorded, task: Callable[[Training, int], Task], decided: Callable[[Tuned], None]
    ) -> None:
        self._recorded = recorded
        self._task = task
        self._decided = decided
        self._known = recorded.tuned
        self._given: set[tuple[str, int]] = set()
        self.most_workers = max(run.workers for run in recorded.plan.study.runs)

    def next(self, fits: Fits) -> Task | None:
        """The first run that is due."""
        for run, until in self._recorded.due():
            if (run_name(run), until) not in self._given:
                task = self._task(run, until)
                if not fits(task):
                    return None
                self._given.add((task.name, until))
                return task
        return None

    def ended(self, task: Task, result: Result | None) -> None:
        """Take note of a result, from which further runs may follow."""
        self._recorded.forget(task.training)
        tuned = self._recorded.tuned
        if tuned != self._known:
            self._known = tuned
            self._decided(tuned)
