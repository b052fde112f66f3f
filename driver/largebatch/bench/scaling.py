"""Time of an epoch against the number of workers, what travels for an update, and a model fitted to both."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from largebatch.bench.timing import Plan, time_training
from largebatch.bench.traffic import Traffic
from largebatch.config import Execution, Training
from largebatch.data import Dataset
from largebatch.preflight import updates_per_epoch

NETWORKS = (1e9, 10e9)  # bits per second, of the clusters that are extrapolated to
FEW, MANY = 1, 1024  # workers among which the best number is sought


@dataclass(frozen=True)
class Measured:
    """Warm epochs with a number of workers: seconds of the median, bytes of one worker and update."""

    workers: int
    batch_size: int
    images: int
    updates: int
    seconds: float
    pushed: float
    pulled: float


@dataclass(frozen=True)
class Model:
    """Seconds of an epoch with k workers on c cores, u updates and n images.

    epoch + u (update + worker k) + image n / min(k, c): what an epoch costs anyway (cutting the data for the
    workers), what an update costs anyway, what each worker adds to it at the one server, and the arithmetic,
    which alone is shared. `error` is the largest relative error over what it was fitted to.
    """

    epoch: float
    update: float
    worker: float
    image: float
    error: float

    def __str__(self) -> str:
        return (
            f"Fitted: {self.epoch:.2f} s per epoch, {self.update * 1000:.1f} ms per update, "
            f"{self.worker * 1000:.1f} ms per update and worker, "
            f"{self.image * 1e6:.0f} us per image and core; at most {self.error:.0%} from what was measured."
        )

    def epoch_seconds(self, workers: int, updates: int, images: int, cores: int) -> float:
        """Of the machine that was measured."""
        each = self.update + self.worker * workers
        return self.epoch + updates * each + images * self.image / min(workers, cores)

    def update_seconds(self, workers: int, batch_size: int, wire: float = 0.0) -> float:
        """Of a cluster with a core for every worker and a network that takes `wire` seconds for each."""
        return self.update + (self.worker + wire) * workers + batch_size * self.image / workers

    def best_workers(self, batch_size: int, wire: float = 0.0) -> int:
        """The number with the fastest update: from there on the server takes longer than it saves."""
        return min(range(FEW, MANY + 1), key=lambda k: self.update_seconds(k, batch_size, wire))


def measure(training: Training, execution: Execution, dataset: Dataset, plan: Plan) -> Measured:
    """Train through Spark in a session of its own. Raises RunError if that fails, UserError without `ss`."""
    with Traffic() as traffic:
        timed = time_training(training, execution, dataset, plan)
    images = len(dataset.train_images)
    updates = updates_per_epoch(training, images)
    carried = updates * plan.total * training.workers
    return Measured(
        workers=training.workers,
        batch_size=training.batch_size,
        images=images,
        updates=updates,
        seconds=timed.median,
        pushed=traffic.total.pushed / carried,
        pulled=traffic.total.pulled / carried,
    )


def fit(measured: Sequence[Measured], cores: int) -> Model:
    """Least squares of relative errors, no cost below zero."""
    from sklearn.linear_model import LinearRegression

    terms = np.array([
        [1, one.updates, one.updates * one.workers, one.images / min(one.workers, cores)] for one in measured
    ])  # fmt: skip
    shares = terms / np.array([[one.seconds] for one in measured])
    found = LinearRegression(positive=True, fit_intercept=False).fit(shares, np.ones(len(shares)))
    epoch, update, worker, image = map(float, found.coef_)
    model = Model(epoch, update, worker, image, error=0.0)
    errors = [
        abs(model.epoch_seconds(one.workers, one.updates, one.images, cores) / one.seconds - 1)
        for one in measured
    ]
    return dataclasses.replace(model, error=max(errors))


# ---- what is shown ----


def measured_rows(measured: Sequence[Measured], model: Model, cores: int) -> list[list[str]]:
    """The measurements, headings first."""
    headings = [
        "workers", "batch size", "epoch, s", "model, s", "update, ms",
        "pushed, MB per worker and update", "pulled, MB",
    ]  # fmt: skip
    rows = [
        [
            str(one.workers),
            str(one.batch_size),
            f"{one.seconds:.2f}",
            f"{model.epoch_seconds(one.workers, one.updates, one.images, cores):.2f}",
            f"{one.seconds / one.updates * 1000:.0f}",
            f"{one.pushed / 1e6:.2f}",
            f"{one.pulled / 1e6:.2f}",
        ]
        for one in measured
    ]
    return [headings, *rows]


def extrapolated_rows(
    measured: Sequence[Measured], model: Model, batch_sizes: Sequence[int]
) -> list[list[str]]:
    """The best number of workers, a core for each, and what is gained, by batch size and network."""
    traffic = max(one.pushed + one.pulled for one in measured)
    headings = ["batch size", "one worker, ms"]
    for speed in NETWORKS:
        headings += [f"best workers, {speed / 1e9:.0f} Gbit/s", "update, ms", "times as fast"]
    rows = []
    for batch_size in batch_sizes:
        alone = model.update_seconds(1, batch_size)
        row = [str(batch_size), f"{alone * 1000:.0f}"]
        for speed in NETWORKS:
            wire = traffic * 8 / speed
            best = model.best_workers(batch_size, wire)
            seconds = model.update_seconds(best, batch_size, wire)
            row += [str(best), f"{seconds * 1000:.0f}", f"{alone / seconds:.1f}"]
        rows.append(row)
    return [headings, *rows]


def cores() -> int:
    """Of this machine."""
    return os.cpu_count() or 1
