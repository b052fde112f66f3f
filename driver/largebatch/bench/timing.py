"""Epochs timed: by largebatch itself, and what is said about them. Seconds throughout."""

from __future__ import annotations

import dataclasses
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from largebatch.config import Execution, Training
from largebatch.data import Dataset
from largebatch.launch import Session
from largebatch.machine import peak_resident
from largebatch.run_folder import RunFolder
from largebatch.train import Run


@dataclass(frozen=True)
class Plan:
    """How many epochs of a session are timed, after how many that warm up (JIT compilers, caches)."""

    warm_up: int
    epochs: int

    @property
    def total(self) -> int:
        """All epochs."""
        return self.warm_up + self.epochs

    def warm(self, seconds: Sequence[float]) -> tuple[float, ...]:
        """Of the epochs of a session those that count."""
        return tuple(seconds[self.warm_up :])


@dataclass(frozen=True)
class Timed:
    """Warm epochs of one contestant, and the first epoch of each of its sessions.

    first, evaluation (of warm epochs) are empty, and peak_bytes None, where they can't be told.
    """

    name: str
    batch_size: int
    images: int
    seconds: tuple[float, ...]
    first: tuple[float, ...] = ()
    evaluation: tuple[float, ...] = ()
    peak_bytes: int | None = None

    @property
    def median(self) -> float:
        """Median of a warm epoch."""
        return statistics.median(self.seconds)

    @property
    def first_ratio(self) -> float | None:
        """A first epoch, which the JIT compilers are busy in, in warm ones."""
        return statistics.median(self.first) / self.median if self.first else None

    def joined(self, again: Timed) -> Timed:
        """The same contestant, measured twice."""
        return dataclasses.replace(
            self,
            seconds=self.seconds + again.seconds,
            first=self.first + again.first,
            evaluation=self.evaluation + again.evaluation,
            peak_bytes=max((b for b in (self.peak_bytes, again.peak_bytes) if b is not None), default=None),
        )

    @property
    def images_per_second(self) -> float:
        """Of a warm epoch."""
        return self.images / self.median


def shortened(dataset: Dataset, rows: int) -> Dataset:
    """The first rows of the training set, with all of the test set."""
    if rows >= len(dataset.train_images):
        return dataset
    return dataclasses.replace(
        dataset,
        title=f"{dataset.title}, {rows} images",
        train_images=dataset.train_images[:rows],
        train_labels=dataset.train_labels[:rows],
    )


def time_training(training: Training, execution: Execution, dataset: Dataset, plan: Plan) -> Timed:
    """Train in a session of its own, so that its memory is its own; raises RunError if that fails."""
    with tempfile.TemporaryDirectory(prefix="largebatch-bench-") as temporary:
        folder = RunFolder.create(Path(temporary) / "run", training, execution, dataset)
        with folder.lock(), Session(execution, training.workers, folder.log) as session:
            Run(training, execution, folder, dataset).train_in(session)
            peak = peak_resident(session.process_group)
        metrics = folder.metrics()
    seconds, evaluation = list(metrics["seconds"]), list(metrics["evaluation_seconds"])
    return Timed(
        name=contestant(training, execution),
        batch_size=training.batch_size,
        images=len(dataset.train_images),
        seconds=plan.warm(seconds),
        first=tuple(seconds[: min(plan.warm_up, 1)]),
        evaluation=plan.warm(evaluation),
        peak_bytes=peak,
    )


def contestant(training: Training, execution: Execution) -> str:
    """The name of our own in a table; a number of workers that is not the usual one is part of it."""
    workers = "" if training.workers == Training.workers else f", {training.workers} workers"
    return f"largebatch, {execution.mode}{workers}"


def spread(values: Sequence[float]) -> str:
    """Median with the range, such as "14.6 (14.5 to 14.8)"."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"
