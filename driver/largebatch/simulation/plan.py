"""From settings to a simulation, and to the row of its results."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from largebatch.errors import UserError
from largebatch.settings.protocols import PROTOCOLS
from largebatch.settings.simulation import SimulationSettings
from largebatch.settings.training import Training
from largebatch.simulation.compute_times import parse
from largebatch.simulation.server import Costs, Load, Rule, Simulated, simulate

MOST_PUSHES = 2_000_000  # that are simulated in about a quarter of a minute


def rule(training: Training) -> Rule:
    """When the server updates the weights."""
    row = PROTOCOLS[training.protocol]
    c = training.gradients_per_update(training.workers)
    return Rule(c, waits=row.reproducible, drops=row.drops)  # those that wait are the reproducible ones


def load(training: Training, rows: int) -> Load:
    """What there is to do, for some training rows."""
    of_each = rows // training.workers
    return Load(
        training.workers, math.ceil(of_each / (training.batch_size // training.workers)), training.epochs
    )


def theory(training: Training) -> float:
    """Mean staleness of equal workers that never stop; not a number for protocols that drop gradients.

    Between two pushes of a worker each of the k-1 others pushes once, and every c pushes are an update.
    """
    how = rule(training)
    if how.drops:
        return math.nan
    return 0.0 if how.waits else (training.workers - 1) / how.gradients


def n(training: Training) -> int:
    """Updates while all workers push once, rounded down: the n of n-softsync."""
    return training.workers // rule(training).gradients


# ---- of `largebatch simulate` ----


@dataclass(frozen=True)
class Outcome:
    """A simulation and what it was of."""

    training: Training
    simulated: Simulated

    def row(self) -> dict[str, Any]:
        """Its results by name."""
        done, usual = self.simulated, self.simulated.usual
        return {
            "protocol": self.training.protocol_title,
            "workers": self.training.workers,
            "batch_size_per_worker": self.training.batch_size // self.training.workers,
            "gradients_per_update": rule(self.training).gradients,
            "staleness_theory": theory(self.training),
            "staleness_mean": usual.mean,
            "staleness_max": usual.largest,
            "staleness_above_2n": usual.above(2 * n(self.training)),
            "pushes": done.pushes,
            "updates": done.updates,
            "dropped": done.dropped,
            "updates_per_second": done.updates / done.seconds,
            "epoch_seconds": done.seconds / self.training.epochs,
        }


def outcomes(given: Mapping[str, Any], settings: SimulationSettings) -> list[Outcome]:
    """Simulate the protocol that the given settings of a training name, or all. Raises UserError."""
    times = parse(settings.compute_time)
    wire = 0.0
    if settings.bits_per_second is not None:
        wire = settings.push_bytes * 8 / settings.bits_per_second
    costs = Costs(settings.push_seconds + wire, settings.update_seconds)
    found = []
    for training in _trainings({"batch_size_per_worker": settings.batch_size_per_worker, **given}):
        to_do = load(training, settings.rows)
        _check(to_do, settings.rows)
        rng = np.random.default_rng(settings.seed)
        found.append(Outcome(training, simulate(rule(training), to_do, times, costs, rng)))
    return found


def _trainings(values: Mapping[str, Any]) -> list[Training]:
    """A training for each protocol, with the settings that belong to it."""
    if "protocol" in values:
        return [Training.from_given(values)]
    workers = values.get("workers", Training.workers)
    own = {name for row in PROTOCOLS.values() for name in row.settings}
    return [
        Training.from_given(
            {name: value for name, value in values.items() if name not in own or name in row.settings}
            | {"protocol": protocol}
        )
        for protocol, row in PROTOCOLS.items()
        if workers > 1 or not row.drops or "backup_workers" in values  # one worker has nobody to back it up
    ]


def _check(to_do: Load, rows: int) -> None:
    if to_do.batches == 0:
        raise UserError(f"--rows {rows} are less than --workers {to_do.workers}: each needs at least one")
    pushes = to_do.workers * to_do.batches * to_do.epochs
    if pushes > MOST_PUSHES:
        raise UserError(
            f"this makes {pushes} pushes for each protocol, {MOST_PUSHES} are the most: "
            "lower --rows or --epochs, or raise --batch-size-per-worker"
        )
