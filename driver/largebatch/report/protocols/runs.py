"""Runs by protocol, number of workers and rows per worker. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, NamedTuple

from largebatch.records.reading import RunRecord, StudyRecord
from largebatch.records.result import Status
from largebatch.report.tables import shown
from largebatch.settings.protocols import PROTOCOLS, ProtocolSettings
from largebatch.settings.training import Training
from largebatch.settings.values import declared

TASK = ("dataset", "validation_rows", "train_rows", "network", "optimizer", "epochs")
_TOLD = {*declared(ProtocolSettings), "workers", "batch_size", "batch_size_per_worker", "seed"}


class Place(NamedTuple):
    """What runs have in common that are compared: `mu` are the rows per worker.

    `protocol` and `task` name what stays the same while these two vary. Runs of unequal tasks, such as
    numbers of epochs, are never compared. The task is empty if the study has one only.
    """

    protocol: str
    task: str
    workers: int
    mu: int

    @property
    def line(self) -> str:
        """The protocol, and the task if there are several."""
        return f"{self.protocol}, {self.task}" if self.task else self.protocol

    @property
    def product(self) -> int:
        """Workers times rows per worker."""
        return self.workers * self.mu

    @property
    def size(self) -> str:
        """Workers and rows per worker as text."""
        return f"{self.workers} x {self.mu}"


@dataclass(frozen=True)
class Ended:
    """A run with a result. The error is that of the test part, 1 if it diverged, not a number without one."""

    place: Place
    seed: int
    reproducible: bool
    diverged: bool
    error: float
    updates: int
    seconds: float


@dataclass(frozen=True)
class Point:
    """All runs of a place: means, and the lowest and the highest error."""

    place: Place
    runs: int
    diverged: int
    error: float
    lowest: float
    highest: float
    updates: float
    seconds: float


def reproducible(training: Training) -> bool:
    """Whether the protocol does not depend on timing."""
    return PROTOCOLS[training.protocol].reproducible


def concerns(study: StudyRecord) -> bool:
    """Whether a run has a protocol with stale gradients."""
    return not all(reproducible(run.training) for run in study.runs)


def compares(study: StudyRecord) -> bool:
    """Whether the study compares protocols, so that batch sizes alone tell little."""
    return concerns(study) and len({_protocol(run.training) for run in study.runs}) > 1


def _protocol(training: Training) -> tuple[Any, ...]:
    return training.protocol_title, training.staleness_modulation, training.workers


# ---- runs ----


def ended(study: StudyRecord) -> list[Ended]:
    """The runs that have finished or diverged, in the study's order."""
    there = [
        run for run in study.runs if run.status in (Status.FINISHED, Status.DIVERGED) and len(run.metrics)
    ]
    tasks = [name for name in TASK if len({getattr(run.training, name) for run in there}) > 1]
    return [
        _ended(run, _protocol_name(run.training, _others(run.training, there)), _words(run.training, tasks))
        for run in there
    ]


def _ended(run: RunRecord, protocol: str, task: str) -> Ended:
    training, last = run.training, run.metrics.iloc[-1]
    diverged = run.status == Status.DIVERGED
    return Ended(
        Place(protocol, task, training.workers, training.batch_size // training.workers),
        training.seed,
        reproducible(training),
        diverged,
        1.0 if diverged else 1 - float(last.get("test_accuracy", math.nan)),
        int(last["updates"]),
        float(run.metrics["seconds"].sum()),
    )


def _protocol_name(training: Training, others: Sequence[str]) -> str:
    """The family of a protocol, its modulation, and other settings that tell it from others."""
    words = [_family(training)]
    if training.belongs("staleness_modulation") and training.staleness_modulation != "none":
        words.append(f"{training.staleness_modulation.replace('_', ' ')} modulation")
    return ", ".join([*words, _words(training, others)] if others else words)


def _words(training: Training, names: Sequence[str]) -> str:
    """Some settings with their values."""
    return ", ".join(f"{name.replace('_', ' ')} {shown(getattr(training, name))}" for name in names)


def _family(training: Training) -> str:
    """The protocol, by the gradients of an update where n grows with the workers: "workers/2-softsync"."""
    if not training.belongs("softsync_n") or training.softsync_n == 1:
        return training.protocol_title
    return f"workers/{training.gradients_per_update(training.workers)}-softsync"


def _others(training: Training, there: Iterable[RunRecord]) -> list[str]:
    """Other settings of which there are several among the runs of the same protocol, size and task."""
    same = [run.training for run in there if _size(run.training) == _size(training)]
    names = [name for name in declared(Training) if name not in (*_TOLD, *TASK)]
    return [name for name in names if len({shown(getattr(one, name)) for one in same}) > 1]


def _size(training: Training) -> tuple[Any, ...]:
    return *_protocol(training), training.batch_size, *(getattr(training, name) for name in TASK)


# ---- points ----


def points(runs: Sequence[Ended]) -> list[Point]:
    """The points of some runs, in their order."""
    return [_point(place, [run for run in runs if run.place == place]) for place in places(runs)]


def places(runs: Sequence[Ended]) -> list[Place]:
    """Where the runs are, in their order."""
    return list(dict.fromkeys(run.place for run in runs))


def _point(place: Place, runs: Sequence[Ended]) -> Point:
    errors = [run.error for run in runs]
    return Point(
        place,
        len(runs),
        sum(run.diverged for run in runs),
        fmean(errors),
        min(errors),
        max(errors),
        fmean(run.updates for run in runs),
        fmean(run.seconds for run in runs),
    )
