"""Reads the folders of studies and runs for reports; no other module does.

A sweep may be writing at the same time, so a run can be at any stage. Damaged files are reported, and
never fatal.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import pandas as pd

from largebatch.errors import UserError
from largebatch.files.safe import read_json, read_parsed, readable
from largebatch.records import tuning_record
from largebatch.records.evaluations import no_evaluations
from largebatch.records.metrics import MAX_METRICS, no_epochs, parse_metrics
from largebatch.records.result import Result, Status
from largebatch.records.run_folder import RunFolder
from largebatch.records.staleness import no_gradients
from largebatch.settings.execution import Execution
from largebatch.settings.schedules import SCHEDULES
from largebatch.settings.selection import Only, select
from largebatch.settings.training import Training
from largebatch.settings.tuning import Cell
from largebatch.terminal.words import counted

STUDY_FILE = "study.json"
_STUDY = {
    "name": str, "title": str, "description": str, "largebatch": str,
    "varied": list, "execution": dict, "runs": list,
}  # fmt: skip
_RUN = {"name": str, "folder": str, "training": dict}


class _DamagedError(Exception):
    """A file of a run has unusable content; the text names the file."""


class NoResult(StrEnum):
    """The state of a run without a result."""

    UNFINISHED = "unfinished"
    NOT_BEGUN = "not begun"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class RunRecord:
    """A run, read from its folder. `metrics` has a row per finished epoch, perhaps none."""

    name: str
    folder: str  # as the study names it
    training: Training
    status: Status | NoResult
    reason: str = ""
    execution: Execution | None = None
    metrics: pd.DataFrame = field(default_factory=no_epochs)
    staleness: pd.DataFrame = field(default_factory=no_gradients)
    evaluations: pd.DataFrame = field(default_factory=no_evaluations)
    versions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether there is nothing left to train."""
        return self.status in (Status.FINISHED, Status.DIVERGED)


@dataclass(frozen=True)
class StudyRecord:
    """A study, read from its folder. `epoch` is set if its runs were cut there.

    The runs of a study that tunes are the trials of the cells in `tuning`; `finals` are its final runs.
    """

    name: str
    title: str
    description: str
    version: str
    execution: Mapping[str, Any]
    runs: tuple[RunRecord, ...]
    epoch: int | None = None
    tuning: tuple[Cell, ...] = ()
    finals: tuple[RunRecord, ...] = ()

    @property
    def problems(self) -> list[str]:
        """A sentence for every run that is left out because its files are damaged."""
        return [
            f"{run.name} is left out: {run.reason}"
            for run in (*self.runs, *self.finals)
            if run.status == NoResult.UNREADABLE
        ]

    @property
    def schedules_need_the_end(self) -> bool:
        """Whether a learning rate depends on the number of epochs, so that half a run is no short run."""
        return any(SCHEDULES[run.training.schedule].needs_end for run in self.runs)

    def only(self, wanted: Only) -> StudyRecord:
        """The study with some of its runs. Raises UserError if none has all that is wanted."""
        if not wanted:
            return self
        trainings = select([run.training for run in self.runs], wanted, self.name)
        return dataclasses.replace(self, runs=tuple(run for run in self.runs if run.training in trainings))

    def after(self, epoch: int) -> StudyRecord:
        """The study as if every run had stopped after an epoch. Raises UserError if that is unknown."""
        if self.schedules_need_the_end:
            raise UserError(
                "--epoch can't be used: a learning-rate schedule of this study depends on the number of "
                "epochs, so its runs would have been others if they had been shorter"
            )
        most = max((len(run.metrics) for run in self.runs), default=0)
        if not 1 <= epoch <= most:
            raise UserError(f"--epoch {epoch} must be from 1 to {most}, the epochs that the study has")
        return dataclasses.replace(self, runs=tuple(cut(run, epoch) for run in self.runs), epoch=epoch)


def cut(run: RunRecord, epoch: int) -> RunRecord:
    """The run as if it had stopped after an epoch, finished if it got there."""
    reached = len(run.metrics) >= epoch
    if reached and not (run.status == Status.DIVERGED and len(run.metrics) == epoch):
        return dataclasses.replace(
            run,
            status=Status.FINISHED,
            reason="",
            metrics=run.metrics.iloc[:epoch],
            staleness=run.staleness[run.staleness["epoch"] <= epoch],
            evaluations=run.evaluations[run.evaluations["epoch"] <= epoch],
        )
    if run.status == Status.FINISHED:
        return dataclasses.replace(
            run, status=NoResult.UNFINISHED, reason=f"was trained for {counted(len(run.metrics), 'epoch')}"
        )
    return run


# ---- studies ----


def is_study(path: Path) -> bool:
    """Whether a folder is a study's."""
    return (path / STUDY_FILE).exists()


def read_study(path: Path) -> StudyRecord:
    """The study in a folder. Raises UserError if it is no study's, or its description is damaged."""
    file = path / STUDY_FILE
    try:
        recorded = read_json(file)
    except FileNotFoundError:
        run = RunFolder(path)
        instead = f"; it is a run's, whose epochs are in {run.metrics_file}" if run.exists() else ""
        raise UserError(f"{path} is not the folder of a study: it has no {STUDY_FILE}{instead}") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{file} can't be read: {error}") from error
    try:
        _check(recorded, _STUDY, STUDY_FILE)
        runs = tuple(_study_run(path, entry) for entry in recorded["runs"])
        cells, finals = _tuning(path, recorded.get("tuning"), runs)
    except _DamagedError as error:
        raise UserError(f"{path / str(error)}") from error
    values = readable(recorded)
    return StudyRecord(
        values["name"],
        values["title"],
        values["description"],
        values["largebatch"],
        values["execution"],
        runs,
        tuning=cells,
        finals=finals,
    )


def _tuning(
    path: Path, recorded: Any, runs: Sequence[RunRecord]
) -> tuple[tuple[Cell, ...], tuple[RunRecord, ...]]:
    """Cells and final runs of a study that tunes; none of others."""
    if recorded is None:
        return (), ()
    _check(recorded, {"cells": list, "finals": list}, STUDY_FILE)
    try:
        cells = tuning_record.from_mapping(recorded["cells"], {run.name: run.training for run in runs})
    except ValueError as error:
        raise _DamagedError(f"{STUDY_FILE} {error}") from error
    return cells, tuple(_study_run(path, entry) for entry in recorded["finals"])


def _study_run(path: Path, entry: Any) -> RunRecord:
    _check(entry, _RUN, STUDY_FILE)
    try:
        training = Training.from_mapping(entry["training"])
    except UserError as error:
        raise _DamagedError(f"{STUDY_FILE}: run {entry['name']}: {error}") from error
    shown = readable(entry)
    planned = RunRecord(shown["name"], shown["folder"], training, NoResult.NOT_BEGUN)
    if Path(entry["folder"]).is_absolute():
        return dataclasses.replace(
            planned, status=NoResult.UNREADABLE, reason="its folder is named by an absolute path"
        )
    folder = RunFolder(path / entry["folder"])
    try:
        begun = folder.exists() or folder.metrics_file.exists()
    except OSError as error:
        reason = f"its folder can't be read: {error.strerror}"
        return dataclasses.replace(planned, status=NoResult.UNREADABLE, reason=reason)
    return _read(planned, folder) if begun else planned


def _check(values: Any, wanted: Mapping[str, type], file: str) -> None:
    """Raises _DamagedError if a mapping lacks a name, or has it with a value of another type."""
    if not isinstance(values, dict):
        raise _DamagedError(f"{file} has a {type(values).__name__} where an object must be")
    for name, kind in wanted.items():
        if not isinstance(values.get(name), kind):
            raise _DamagedError(f"{file} lacks {name}, or has it with a value of another kind")


# ---- runs ----


def read_run(path: Path) -> RunRecord:
    """The run in a folder. Raises UserError if it is no run's or damaged."""
    folder = RunFolder(path)
    training, _ = folder.settings()
    run = _read(RunRecord(path.name, str(path), training, NoResult.NOT_BEGUN), folder)
    if run.status == NoResult.UNREADABLE:
        raise UserError(f"{path}: {run.reason}")
    return run


def _read(planned: RunRecord, folder: RunFolder) -> RunRecord:
    """The planned run, completed from its folder."""
    try:
        execution = _execution(planned, folder)
        result = _result(folder)  # before the metrics: a sweep writes it after them
        metrics = _table(
            folder, lambda: read_parsed(folder.metrics_file, MAX_METRICS, parse_metrics, no_epochs)
        )
        if result and result.status != Status.FAILED and len(metrics) != result.epochs:
            raise _DamagedError(f"metrics.csv has {len(metrics)} epochs, result.json {result.epochs}")
        staleness = _table(folder, folder.staleness)
        evaluations = _table(folder, folder.evaluations.table)
    except _DamagedError as error:
        return dataclasses.replace(planned, status=NoResult.UNREADABLE, reason=str(error))
    return dataclasses.replace(
        planned,
        status=result.status if result else NoResult.UNFINISHED,
        reason=(result and result.reason) or "",
        execution=execution,
        metrics=metrics,
        staleness=staleness,
        evaluations=evaluations,
        versions=_versions(folder),
    )


def _execution(planned: RunRecord, folder: RunFolder) -> Execution:
    try:
        training, execution = folder.settings()
    except UserError as error:
        raise _DamagedError(str(error).replace(f"{folder.path}/", "")) from error
    mine, its = planned.training.to_mapping(), training.to_mapping()
    others = [f"{name} {its[name]} instead of {mine[name]}" for name in mine if mine[name] != its[name]]
    if others:
        raise _DamagedError(f"its settings are not the study's: {', '.join(others)}")
    return execution


def _result(folder: RunFolder) -> Result | None:
    try:
        values = readable(read_json(folder.result_file))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _DamagedError(f"result.json can't be read: {error}") from error
    try:
        return Result.from_mapping(values)
    except ValueError as error:
        raise _DamagedError(f"result.json {error}") from error


def _table(folder: RunFolder, read: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """A table that may be missing."""
    try:
        return read()
    except UserError as error:
        raise _DamagedError(str(error).replace(f"{folder.path}/", "")) from error


def _versions(folder: RunFolder) -> dict[str, Any]:
    """Versions of the programs that ran it; empty if unknown, which makes no result wrong."""
    try:
        values = readable(read_json(folder.versions_file))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
