"""The runs of a study: their states, which are wanted, and how long they will take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from largebatch.data import Dataset
from largebatch.errors import UserError
from largebatch.records.result import Result, Status
from largebatch.records.run_folder import RunFolder
from largebatch.records.study_folder import StudyFolder
from largebatch.settings.selection import Only, select
from largebatch.settings.study import Study
from largebatch.settings.training import Training
from largebatch.studies.estimate import ROUGH_ROWS, Timing
from largebatch.terminal.progress import duration
from largebatch.terminal.table import align
from largebatch.terminal.words import counted

Datasets = Mapping[tuple[str, int, int, bool], Dataset]  # by Training.data


@dataclass(frozen=True)
class Task:
    """A run of a study and its state. `rows` counts its training rows.

    `until` is the epoch at which the run stops for now, by default its last one. `kept` tells whether the
    metrics have all epochs of the result.
    """

    training: Training
    folder: RunFolder
    rows: int
    result: Result | None
    epochs_done: int
    until: int | None = None
    kept: bool = True

    @property
    def name(self) -> str:
        """The run's name in its study."""
        return self.folder.path.name

    @property
    def goal(self) -> int:
        """The epoch at which the run stops for now."""
        return self.until or self.training.epochs

    def is_done(self, result: Result) -> bool:
        """Whether a run with this result needs no more training now."""
        return result.status.ended or (result.status == Status.PAUSED and result.epochs >= self.goal)

    @property
    def ended(self) -> bool:
        """Whether there is nothing to do for the run now."""
        return self.result is not None and self.is_done(self.result) and self.kept

    @property
    def failed(self) -> bool:
        """Whether the last attempt failed."""
        return self.result is not None and self.result.status == Status.FAILED

    @property
    def epochs_left(self) -> int:
        """Epochs to train."""
        return 0 if self.ended else max(0, self.goal - self.epochs_done)

    @property
    def state(self) -> str:
        """The state that --dry-run shows."""
        if self.ended and self.result:
            return self.result.status.value
        begun = f"from epoch {self.epochs_done}" if self.epochs_done else "new"
        return f"failed, again {begun}" if self.failed else begun


def survey(study: Study, folder: StudyFolder, only: Only, datasets: Datasets) -> list[Task]:
    """The wanted runs of a study, in order, with their states.

    Raises UserError if a folder is a link or another run's, was begun on other data, or nothing fits `only`.
    """
    return [
        task_of(training, folder.run(training), datasets) for training in select(study.runs, only, study.name)
    ]


def task_of(training: Training, folder: RunFolder, datasets: Datasets) -> Task:
    """A run with its state. Raises UserError as `survey` does."""
    dataset = datasets.get(training.data)
    rows = len(dataset.train) if dataset else ROUGH_ROWS
    if folder.path.is_symlink():
        raise UserError(f"{folder.path} is a link, through which a run does not write: remove it")
    if not folder.exists():
        return Task(training, folder, rows, None, 0)
    if folder.settings()[0] != training:
        raise UserError(f"{folder.path} is a run with other settings: name another folder by --out or --runs")
    if dataset:
        folder.check_data(dataset)
    result = folder.result()
    kept = result is None or folder.keeps(result)
    return Task(training, folder, rows, result, folder.last_epoch(), kept=kept)


def measured(tasks: Sequence[Task]) -> Timing:
    """Times of the finished epochs."""
    timing = Timing()
    for task in tasks:
        if task.epochs_done and task.folder.metrics_file.exists():
            try:
                metrics = task.folder.metrics()
            except UserError:  # it is written anew when the run's turn comes
                continue
            for seconds in metrics["seconds"] + metrics["evaluation_seconds"]:
                timing.add(task.training, task.rows, seconds)
    return timing


def format_tasks(tasks: Sequence[Task], timing: Timing, jobs: int) -> str:
    """A line per run, and the sum."""
    rows = [["run", "state", "epochs to do", "time"]]
    rows += [[t.name, t.state, str(t.epochs_left), _time(_seconds(t, timing))] for t in tasks]
    states = Counter("to go on with" if t.epochs_done and not t.ended else t.state for t in tasks)
    total = duration(sum(_seconds(task, timing) for task in tasks) / jobs)
    runs, stand = counted(len(tasks), "run"), ", ".join(f"{n} {state}" for state, n in states.items())
    return (
        f"{align(rows)}\n{runs}: {stand}; "
        f"{counted(sum(t.epochs_left for t in tasks), 'epoch')} to do, about {total} ({timing.basis})"
    )


def _seconds(task: Task, timing: Timing) -> float:
    return task.epochs_left * timing.epoch(task.training, task.rows)


def _time(seconds: float) -> str:
    return duration(seconds) if seconds else "-"
