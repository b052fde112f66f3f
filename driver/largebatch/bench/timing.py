"""Timed epochs of contestants, and their statistics. All times are seconds."""

from __future__ import annotations

import contextlib
import dataclasses
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import numpy as np

from largebatch.data import Dataset
from largebatch.data.dataset import Part
from largebatch.engine.machine import peak_resident
from largebatch.engine.session import Session
from largebatch.errors import RunError
from largebatch.files.places import cache_dir, temporary_directory
from largebatch.models.forward import with_zeros
from largebatch.records.result import Status
from largebatch.runs.job import Job
from largebatch.settings.execution import Execution
from largebatch.settings.training import Training


@dataclass(frozen=True)
class Rounds:
    """Numbers of rounds: those that warm up JIT compilers and caches, then those that are timed."""

    warm_up: int
    epochs: int

    @property
    def total(self) -> int:
        """All rounds."""
        return self.warm_up + self.epochs


@dataclass(frozen=True)
class Epoch:
    """Times of an epoch. `evaluation`: of the evaluation after it, None if there was none.

    `opening`: of the first epoch of its run, None if the contestant has no runs.
    """

    seconds: float
    evaluation: float | None = None
    opening: float | None = None


class Contestant(Protocol):
    """Trains one epoch at a time, on demand.

    `images`: number in an epoch. `opens`: whether its first epoch is the first of its session.
    """

    name: str
    batch_size: int
    images: int
    opens: bool

    def epoch(self) -> Epoch:
        """Train for an epoch. Raises RunError if that fails."""

    def peak_bytes(self) -> int | None:
        """Peak of resident memory of its session so far; None if unknown."""


@dataclass(frozen=True)
class Timed:
    """Warm epochs of one contestant, in the order of the rounds.

    `first`: the session's very first epoch, None if another contestant ran it. `openings`: the first epoch of
    each run, one per round. `evaluation` and `openings` are empty for contestants without them.
    """

    name: str
    batch_size: int
    images: int
    seconds: tuple[float, ...]
    first: float | None = None
    evaluation: tuple[float, ...] = ()
    openings: tuple[float, ...] = ()
    peak_bytes: int | None = None

    @property
    def median(self) -> float:
        """Median of a warm epoch."""
        return statistics.median(self.seconds)

    @property
    def first_ratio(self) -> float | None:
        """The session's first epoch relative to a warm one: the JIT compilers are busy in it."""
        return self.first / self.median if self.first else None

    @property
    def opening_ratio(self) -> float | None:
        """A run's first epoch relative to its second one, median over the rounds."""
        return _ratio(self.openings, self.seconds) if self.openings else None

    @property
    def images_per_second(self) -> float:
        """Speed of a warm epoch."""
        return self.images / self.median

    def ratio(self, other: Timed) -> float:
        """Ratio to another contestant: median over the rounds, because the machine's speed drifts."""
        return _ratio(self.seconds, other.seconds)


def _ratio(numerators: Sequence[float], denominators: Sequence[float]) -> float:
    return statistics.median(a / b for a, b in zip(numerators, denominators, strict=True))


class Sitting:
    """Sessions that contestants share. All stay open until the end of the sitting. A context manager.

    There is one session per mode and number of workers; the first request for it starts it.
    """

    def __init__(self, execution: Execution, dataset: Dataset) -> None:
        self._execution = execution
        self.dataset = dataset
        self.stack = contextlib.ExitStack()
        self._sessions: dict[tuple[str, int], Session] = {}

    def __enter__(self) -> Self:
        self.folder = Path(self.stack.enter_context(temporary_directory("largebatch-bench-")))
        return self

    def __exit__(self, *error: object) -> None:
        self.stack.close()

    def has_session(self, mode: str, workers: int) -> bool:
        """Whether this session has been started."""
        return (mode, workers) in self._sessions

    def train(self, training: Training, mode: str, *, statistics: bool = False) -> list[Epoch]:
        """Train from the start and time each epoch. Raises RunError if training fails or diverges.

        With `statistics` the session's log gets SystemDS' times of all instructions.
        """
        epochs: list[Epoch] = []
        job = Job(
            training,
            dataclasses.replace(self._execution, mode=mode),
            self.dataset,
            on_epoch=lambda row: epochs.append(Epoch(row.seconds, row.evaluation_seconds)),
        )
        result = job.carry_out(self.session(mode, training.workers), statistics=statistics)
        if result.status != Status.FINISHED:
            raise RunError(f"training diverged before epoch {training.epochs}: nothing to time")
        return epochs

    def session(self, mode: str, workers: int) -> Session:
        """The session for this mode and number of workers. Raises RunError if it can't be started."""
        key = mode, workers
        if key not in self._sessions:
            execution = dataclasses.replace(self._execution, mode=mode)
            log = cache_dir() / f"bench-{mode}.log"
            log.parent.mkdir(parents=True, exist_ok=True)
            self._sessions[key] = self.stack.enter_context(Session(execution, workers, log))
        return self._sessions[key]


class Largebatch:
    """Our own training, as a contestant."""

    def __init__(self, sitting: Sitting, training: Training, mode: str, told: str = "") -> None:
        self.name = contestant(training, mode) + told
        self.batch_size = training.batch_size
        self.images = len(sitting.dataset.train)
        self._training = dataclasses.replace(training, epochs=2)
        self._mode = mode
        self._sitting = sitting
        self.opens = not sitting.has_session(mode, training.workers)
        self._session = sitting.session(mode, training.workers)

    def epoch(self) -> Epoch:
        """The second epoch of a new run from the same start values. Raises RunError if the run fails."""
        opening, epoch = self._sitting.train(self._training, self._mode)
        return dataclasses.replace(epoch, opening=opening.seconds)

    def peak_bytes(self) -> int | None:
        """Peak of driver and local executors, over everything that ran in the session so far."""
        return peak_resident(self._session.process_group)


def shortened(dataset: Dataset, rows: int) -> Dataset:
    """The first rows of each part. A part that has no more of them stays whole."""
    if rows >= max(map(len, dataset.parts.values())):
        return dataset
    parts = {name: part.rows(slice(rows)) for name, part in dataset.parts.items()}
    return dataclasses.replace(
        dataset,
        title=f"{dataset.title}, {rows} images",
        train=parts["train"],
        test=parts.get("test"),
        validation=parts.get("validation"),
        least_classes=dataset.classes,
    )


def padded(dataset: Dataset, side: int) -> Dataset:
    """The training part with zeros around its images, so many pixels a side as `--pad-to` gives them."""
    if not side:
        return dataset
    train = Part(with_zeros(np.asarray(dataset.train.X), side), dataset.train.y)
    return Dataset(dataset.name, dataset.title, train, least_classes=dataset.classes)


def contestant(training: Training, mode: str) -> str:
    """Our name in a table, with the network and the number of workers if they are not the defaults."""
    network = "" if training.network == Training.network else f", {training.network}"
    workers = "" if training.workers == Training.workers else f", {training.workers} workers"
    return f"largebatch, {mode}{network}{workers}"


def spread(values: Sequence[float]) -> str:
    """Median with the range, such as "14.6 (14.5 to 14.8)"."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"
