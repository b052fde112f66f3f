"""A training from its settings to its result: data, session, epochs, files. All commands train by it."""

from __future__ import annotations

import dataclasses
import functools
import io
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from largebatch import data
from largebatch.data import Dataset
from largebatch.data.dataset import PreparedData
from largebatch.data.validation import cut
from largebatch.engine.host import Host
from largebatch.engine.own import OWN_JVM
from largebatch.engine.session import Session
from largebatch.errors import RunError
from largebatch.files.places import temporary_directory
from largebatch.records.result import EpochRow, Result, Status
from largebatch.records.run_folder import RunFolder
from largebatch.records.targets import reached
from largebatch.runs import preflight
from largebatch.runs.placement import deal_of, placed
from largebatch.runs.program import train_arguments
from largebatch.runs.snapshots import evaluate_snapshots, stops
from largebatch.runs.versions import versions
from largebatch.settings.execution import Execution
from largebatch.settings.training import Training
from largebatch.terminal.progress import Progress
from largebatch.terminal.say import Say

NewProgress = Callable[[int, int], Progress]  # from the updates of all epochs, and those done before


def load_data(training: Training, data_dir: Path | None, say: Say) -> Dataset:
    """The run's data set, with the rows that it asks for.

    Raises as largebatch.data.load and cut do.
    """
    dataset = data.load(training.dataset, data_dir, reading=training.reading, say=say)
    return cut(dataset, *training.data[1:])


def train(
    training: Training, execution: Execution, folder: RunFolder, dataset: Dataset, host: Host = OWN_JVM
) -> Result:
    """Train in a session of its own, from the folder's last valid checkpoint; returns the result.

    Raises RunError if the run fails; its folder then says so, if it can be written, and can be resumed.
    """
    title = f"{training.optimizer} {training.batch_size}"
    new_progress = functools.partial(Progress, title, training.epochs)
    job = Job(training, execution, dataset, folder, new_progress=new_progress)
    try:
        return carry_out(job, folder, host)
    except OSError as error:
        raise RunError(
            f"{folder.path} cannot be written: {error.strerror or error}; "
            f"`largebatch train --resume {folder.path}` goes on from the last epoch"
        ) from error


def carry_out(job: Job, folder: RunFolder, host: Host) -> Result:
    """Carry out a job in its folder, in a session of its own. Raises RunError, and OSError for the folder."""
    with folder.lock(), Session(job.execution, job.training.workers, folder.log, host=host) as session:
        return job.carry_out(session)


def _ignore(row: EpochRow) -> None:
    pass


@dataclass(frozen=True)
class Job:
    """A training to carry out, from the last valid checkpoint of its folder on.

    folder        locked by whoever carries the job out; without one nothing is kept
    until         the epoch after which the job ends, the last one if not given. Schedules are those of all
                  epochs: another job can go on in the folder as if there had been no end
    on_epoch      called with every new row of metrics.csv, when the epoch's state is safe; what it raises
                  ends the job
    new_progress  makes what shows the updates; without it nothing is shown
    prepared_in   folder for the data as SystemDS reads them, by default one in the user's cache
    """

    training: Training
    execution: Execution
    dataset: Dataset
    folder: RunFolder | None = None
    until: int | None = None
    on_epoch: Callable[[EpochRow], None] = _ignore
    new_progress: NewProgress | None = None
    prepared_in: Path | None = None

    @property
    def last_epoch(self) -> int:
        """The epoch after which the job ends."""
        return min(self.until or self.training.epochs, self.training.epochs)

    def carry_out(self, session: Session, *, statistics: bool = False) -> Result:
        """Train. Raises RunError if that fails, and has the folder say so.

        With `statistics` the session's log gets SystemDS' times of all instructions.
        """
        if self.folder is not None:
            return _Attempt(self, self.folder).make(session, statistics)
        with temporary_directory("largebatch-run-") as path:
            folder = RunFolder.create(Path(path), self.training, self.execution, self.dataset)
            return dataclasses.replace(_Attempt(self, folder).make(session, statistics), folder=None)

    def fail(self, error: RunError) -> None:
        """Have the folder say that the job failed before it had a session."""
        if self.folder is not None:
            _Attempt(self, self.folder).fail(error)


class _Attempt:
    """A job in progress. Its making rewinds the folder to the last valid checkpoint."""

    def __init__(self, job: Job, folder: RunFolder) -> None:
        self._job = job
        self._folder = folder
        self._network = job.training.architecture
        damaged = folder.damaged_epochs()
        self._done = folder.rewind(self._network)
        self._last: EpochRow | None = None
        if self._done:
            self._last = EpochRow.from_mapping(folder.metrics().iloc[-1].to_dict())
        self._progress = self._new_progress()
        for epoch in damaged:
            kept = f"it goes on from epoch {self._done}" if self._done else "it starts afresh"
            self._progress.note(f"{folder.path}: the checkpoint of epoch {epoch} is damaged: {kept}")

    def make(self, session: Session, statistics: bool) -> Result:
        """Train as far as the job goes."""
        try:
            return self._train(session, statistics)
        except RunError as error:
            self.fail(error)
            raise
        finally:
            self._progress.close()

    def fail(self, error: RunError) -> None:
        self._folder.write_result(self._result(Status.FAILED, str(error)))

    def _new_progress(self) -> Progress:
        job = self._job
        total = preflight.updates_after(job.training, len(job.dataset.train), job.training.epochs)
        updates = total, self._last.updates if self._last else 0
        if job.new_progress is not None:
            return job.new_progress(*updates)
        return Progress("", job.training.epochs, *updates, stream=io.StringIO())  # shown to nobody

    def _train(self, session: Session, statistics: bool) -> Result:
        began, before, overhead = time.monotonic(), self._seconds(), None
        if self._done < self._job.last_epoch or self._folder.evaluations.waiting():
            self._record_versions(versions(self._job.execution, session))
            self._run_program(session, statistics)
            overhead = max(0.0, time.monotonic() - began - (self._seconds() - before))
        else:
            self._progress.note(f"{self._folder.path} has all its epochs, up to {self._done}, already")
        if self._last is None:
            raise RunError(f"train.dml ended without an epoch; see {self._folder.log}")
        self._folder.write_model(self._last.epoch, self._network)
        result = self._result(self._status(self._last), overhead=overhead)
        self._folder.write_result(result)
        return result

    def _record_versions(self, now: dict[str, Any]) -> None:
        before = self._folder.versions()
        if self._done and before.get("dml_sha256") != now["dml_sha256"]:
            self._progress.note(f"{self._folder.path} goes on with other DML files than it was begun with")
        self._folder.write_versions(now)

    def _run_program(self, session: Session, statistics: bool) -> None:
        job = self._job
        ends = stops(job.training, len(job.dataset.train), self._done, job.last_epoch)
        for deal, of_deal in itertools.groupby(ends, functools.partial(deal_of, job.training)):
            with placed(job.training, deal, job.dataset, session, job.prepared_in) as prepared:
                for stop in of_deal:
                    if self._epoch < stop:
                        self._train_until(stop, prepared, session, statistics)
                    if self._folder.evaluations.waiting():
                        evaluate_snapshots(job.training, job.execution.mode, self._folder, prepared, session)
                    if self._epoch < stop:
                        return  # it diverged

    @property
    def _epoch(self) -> int:
        return self._last.epoch if self._last else 0

    def _train_until(self, epoch: int, prepared: PreparedData, session: Session, statistics: bool) -> None:
        job, out = self._job, self._folder.path.resolve()
        resume = self._folder.checkpoint(self._epoch).resolve() if self._epoch else None
        arguments = train_arguments(job.training, job.execution.mode, prepared, out, resume)
        session.run(
            "train.dml",
            {**arguments, "until": epoch},
            on_line=self._on_line,
            statistics=statistics,
        )

    def _on_line(self, line: str) -> None:
        kind, _, rest = line.partition(" ")
        if kind == "update":
            updates, rows, loss = rest.split()
            self._progress.update(int(updates), int(rows), float(loss))
        elif kind == "epoch":
            self._last = row = self._folder.commit(int(rest), self._network)
            try:
                self._job.on_epoch(row)
            finally:
                self._progress.epoch(row.to_mapping())
        elif kind != "alive":
            self._progress.note(rest)

    def _status(self, last: EpochRow) -> Status:
        """How the run stands, if the program ended after this epoch."""
        if last.diverged or last.epoch < self._job.last_epoch:
            return Status.DIVERGED
        return Status.FINISHED if last.epoch == self._job.training.epochs else Status.PAUSED

    def _result(self, status: Status, reason: str | None = None, overhead: float | None = None) -> Result:
        """The result. Accuracies are those of a run that neither failed nor diverged, else None."""
        training, last = self._job.training, self._last
        row = last if status in (Status.FINISHED, Status.PAUSED) else None
        accuracies = (row.train_accuracy, row.test_accuracy) if row else (None, None)
        return Result(
            dataset=self._job.dataset.title,
            network=training.network,
            optimizer=training.optimizer,
            batch_size=training.batch_size,
            epochs=last.epoch if last else 0,
            updates=last.updates if last else 0,
            train_accuracy=accuracies[0],
            test_accuracy=accuracies[1],
            generalization_error=_difference(*accuracies),
            seconds=round(self._seconds(), 3),
            status=status,
            seed=training.seed,
            folder=str(self._folder.path),
            reason=reason,
            validation_accuracy=row.validation_accuracy if row else None,
            reproducible=None if training.reproducible else False,
            targets=self._targets(),
            overhead_seconds=None if overhead is None else round(overhead, 3),
        )

    def _targets(self) -> list[dict[str, Any]] | None:
        """When each target accuracy was reached; None if none is asked for, or nothing is trained."""
        targets = self._job.execution.target_accuracy
        if not targets or self._last is None:
            return None
        tables = self._folder.metrics(), self._folder.evaluations.table()
        return [reached(*tables, target).to_mapping() for target in targets]

    def _seconds(self) -> float:
        """Seconds of training and evaluation over all epochs, also those of jobs before this one."""
        if self._last is None:
            return 0.0
        metrics = self._folder.metrics()
        return float(metrics["seconds"].sum() + metrics["evaluation_seconds"].sum())


def _difference(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b
