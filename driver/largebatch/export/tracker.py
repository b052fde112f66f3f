"""What trackers of experiments are told of a run, and the trackers by name: a module NAME_runs for each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol

from largebatch.records.reading import NoResult, RunRecord, is_study, read_run, read_study


@dataclass(frozen=True)
class Tracked:
    """A run as its folder has it now, and the name of the study that it belongs to, if any."""

    folder: Path
    record: RunRecord
    study: str = ""


class Tracker(Protocol):
    """Keeps runs in a program for experiments."""

    def sync(self, run: Tracked) -> None:
        """Tell the program what it does not know yet of a run. Called again, it adds only what is new."""

    def close(self) -> None:
        """Finish; also after a failure."""

    @property
    def where(self) -> str:
        """Where the runs can be seen."""


def open_tracker(name: str, path: Path) -> Tracker:
    """The tracker for the folder of a run or study. Raises UserError if its package is missing."""
    tracker: Tracker = import_module(f"largebatch.export.{name}_runs").open_tracker(path)
    return tracker


def tracked(path: Path) -> Iterator[Tracked]:
    """The runs in the folder of a run or study that have begun. Raises UserError for other folders."""
    if not is_study(path):
        yield Tracked(path, read_run(path))
        return
    study = read_study(path)
    for run in (*study.runs, *study.finals):
        if run.status not in (NoResult.NOT_BEGUN, NoResult.UNREADABLE):
            yield Tracked(path / run.folder, run, study.name)
