"""Compute times like those of a real run, found from what the run recorded."""

from __future__ import annotations

import dataclasses

import numpy as np

from largebatch.simulation.compute_times import ComputeTimes
from largebatch.simulation.server import Costs, Load, Rule, Simulated, simulate
from largebatch.simulation.staleness import Staleness

SEED = 1
WIDEST = 8.0  # the largest coefficient of variation that is tried
STEPS = 12  # of halving the range
ENOUGH = 4000  # pushes at least, so that chance is small


def fit(rule: Rule, load: Load, measured: Staleness, seconds: float) -> ComputeTimes:
    """Log-normal times with which the staleness varies as it was measured, where workers do not wait.

    `seconds` is the time of an epoch; the times contain what the server takes. The staleness' standard
    deviation grows with the coefficient of variation, which is found by halving. Its mean is not used, so
    that it can be compared.
    """
    times = ComputeTimes("lognormal", 1.0, 0.0)
    low, high = 0.0, WIDEST
    for _ in range(STEPS):
        times = dataclasses.replace(times, shape=(low + high) / 2)
        if predict(rule, load, times).usual.deviation < measured.deviation:
            low = times.shape
        else:
            high = times.shape
    of_an_epoch = predict(rule, load, times).seconds / _enough(load).epochs
    return dataclasses.replace(times, mean=seconds / of_an_epoch)


def predict(rule: Rule, load: Load, times: ComputeTimes) -> Simulated:
    """A simulation with these times and no other costs, of enough epochs to be hardly left to chance."""
    return simulate(rule, _enough(load), times, Costs(), np.random.default_rng(SEED))


def _enough(load: Load) -> Load:
    return dataclasses.replace(load, epochs=max(load.epochs, -(-ENOUGH // (load.workers * load.batches))))
