"""Epoch time and bytes per update against the number of workers, and a model fitted to both."""

from __future__ import annotations

import dataclasses
import math
import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from largebatch.bench.timing import Rounds, Sitting
from largebatch.bench.traffic import Traffic
from largebatch.data import Dataset
from largebatch.errors import RunError
from largebatch.runs.preflight import updates_per_epoch
from largebatch.settings.execution import Execution
from largebatch.settings.training import Training

NETWORKS = (1e9, 10e9)  # bits per second, of the clusters in the extrapolation
MANY = 1024  # largest number of workers that is tried


@dataclass(frozen=True)
class Measured:
    """Epochs with a number of workers: seconds of the median warm epoch, bytes of the mean epoch.

    `pushed` and `pulled` add up all workers. `pulled` includes the data that Spark sends to them.
    """

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

    epoch + u (update + worker k) + image n / min(k, c). `epoch`: fixed cost per epoch (cutting the data for
    the workers). `update`: fixed cost per update. `worker`: cost per worker and update at the one server.
    `image`: arithmetic per image, the only part that workers share. `error`: largest relative error of the
    fit.

    Bytes: each worker pushes `pushed` and pulls `pulled` per update; all workers get `data` once per epoch.
    """

    epoch: float
    update: float
    worker: float
    image: float
    error: float
    pushed: float
    pulled: float
    data: float

    def __str__(self) -> str:
        return (
            f"Fitted: {self.epoch:.2f} s per epoch, {self.update * 1000:.1f} ms per update, "
            f"{self.worker * 1000:.1f} ms per update and worker, "
            f"{self.image * 1e6:.0f} us per image and core; at most {self.error:.0%} from what was measured. "
            f"For an update a worker pulls {self.pulled / 1e6:.2f} MB and pushes {self.pushed / 1e6:.2f} MB; "
            f"{self.data / 1e6:.0f} MB come to all workers at each epoch."
        )

    def epoch_seconds(self, workers: int, updates: int, images: int, cores: int) -> float:
        """Seconds of an epoch on the measured machine."""
        each = self.update + self.worker * workers
        return self.epoch + updates * each + images * self.image / min(workers, cores)

    def update_seconds(self, workers: int, batch_size: int, bits_per_second: float = math.inf) -> float:
        """Seconds of an update on a cluster with a core per worker and this speed at the server."""
        wire = (self.pushed + self.pulled) * 8 / bits_per_second
        return self.update + (self.worker + wire) * workers + batch_size * self.image / workers

    def best_workers(self, batch_size: int, bits_per_second: float = math.inf) -> int:
        """The number of workers with the fastest update. More workers cost the server more than they save."""
        return min(range(1, MANY + 1), key=lambda k: self.update_seconds(k, batch_size, bits_per_second))


def measure(training: Training, execution: Execution, dataset: Dataset, rounds: Rounds) -> Measured:
    """Train through Spark in a session of its own. Raises UserError without `ss`.

    Raises RunError if training fails, or no connection was seen, as on masters that aren't local.
    """
    with Sitting(execution, dataset) as sitting:
        session = sitting.session(execution.mode, training.workers)
        with Traffic(session.process_group) as traffic:
            epochs = sitting.train(training, execution.mode)
    if not (traffic.total.pushed and traffic.total.pulled):
        raise RunError("ss saw no bytes between workers and server: --scaling is for local masters, local[n]")
    images = len(dataset.train)
    updates = updates_per_epoch(training, images)
    return Measured(
        workers=training.workers,
        batch_size=training.batch_size,
        images=images,
        updates=updates,
        seconds=statistics.median(epoch.seconds for epoch in epochs[rounds.warm_up :]),
        pushed=traffic.total.pushed / rounds.total,
        pulled=traffic.total.pulled / rounds.total,
    )


def fit(measured: Sequence[Measured], cores: int) -> Model:
    """Least squares of relative errors, no cost below zero."""
    epoch, update, worker, image = _costs(
        [
            [1, one.updates, one.updates * one.workers, one.images / min(one.workers, cores)]
            for one in measured
        ],
        [one.seconds for one in measured],
    )
    each = [one.updates * one.workers for one in measured]
    data, pulled = _costs([[1, count] for count in each], [one.pulled for one in measured])
    (pushed,) = _costs([[count] for count in each], [one.pushed for one in measured])
    model = Model(epoch, update, worker, image, 0.0, pushed, pulled, data)
    errors = [
        abs(model.epoch_seconds(one.workers, one.updates, one.images, cores) / one.seconds - 1)
        for one in measured
    ]
    return dataclasses.replace(model, error=max(errors))


def _costs(terms: Sequence[Sequence[float]], sums: Sequence[float]) -> list[float]:
    """The cost of each term, fitted so that the costs add up to the sums."""
    from sklearn.linear_model import LinearRegression

    shares = np.array(terms) / np.array(sums)[:, None]
    found = LinearRegression(positive=True, fit_intercept=False).fit(shares, np.ones(len(shares)))
    return [float(cost) for cost in found.coef_]


# ---- what is shown ----


def measured_rows(measured: Sequence[Measured], model: Model, cores: int) -> list[list[str]]:
    """The measurements, headings first."""
    headings = [
        "workers", "batch size", "updates", "epoch, s", "model, s", "pushed, MB", "pulled, MB",
    ]  # fmt: skip
    rows = [
        [
            str(one.workers),
            str(one.batch_size),
            str(one.updates),
            f"{one.seconds:.2f}",
            f"{model.epoch_seconds(one.workers, one.updates, one.images, cores):.2f}",
            f"{one.pushed / 1e6:.1f}",
            f"{one.pulled / 1e6:.1f}",
        ]
        for one in measured
    ]
    return [headings, *rows]


def extrapolated_rows(model: Model, batch_sizes: Sequence[int]) -> list[list[str]]:
    """The best number of workers, with a core each, and the speed-up, by batch size and network."""
    headings = ["batch size", "one worker, ms"]
    for speed in NETWORKS:
        headings += [f"best workers, {speed / 1e9:.0f} Gbit/s", "update, ms", "times as fast"]
    rows = []
    for batch_size in batch_sizes:
        alone = model.update_seconds(1, batch_size)
        row = [str(batch_size), f"{alone * 1000:.0f}"]
        for speed in NETWORKS:
            best = model.best_workers(batch_size, speed)
            seconds = model.update_seconds(best, batch_size, speed)
            row += [str(best), f"{seconds * 1000:.0f}", f"{alone / seconds:.1f}"]
        rows.append(row)
    return [headings, *rows]


def cores() -> int:
    """Cores of this machine."""
    return os.cpu_count() or 1
