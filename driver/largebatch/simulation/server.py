"""One server, many workers, and the order in which things happen. No gradient is computed.

A worker computes a gradient with the weights of a clock, the number of updates so far, and pushes it. The
server takes one push at a time. With its answer the worker gets the newest weights. The staleness of a
gradient is the clock at its push less the clock of its weights. Every epoch begins together and ends with its
last push, as SystemDS' paramserv does it.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from largebatch.simulation.compute_times import ComputeTimes
from largebatch.simulation.staleness import FIRST, USUAL, Staleness


@dataclass(frozen=True)
class Rule:
    """When the server updates the weights: with every `gradients` of them that it has taken.

    With `waits` a worker gets its answer after the update, else at once. With `drops` the server takes only
    gradients of the newest weights.
    """

    gradients: int
    waits: bool = False
    drops: bool = False


@dataclass(frozen=True)
class Load:
    """What there is to do: `batches` for each worker in each epoch."""

    workers: int
    batches: int
    epochs: int = 1


@dataclass(frozen=True)
class Costs:
    """Seconds of the server: for a push, what travels for it included, and for an update."""

    push: float = 0.0
    update: float = 0.0


@dataclass
class Simulated:
    """What happened. `staleness` counts gradients by kind and staleness, also those that were dropped."""

    pushes: int = 0
    updates: int = 0
    dropped: int = 0
    seconds: float = 0.0
    staleness: Counter[tuple[str, int]] = field(default_factory=Counter)

    @property
    def usual(self) -> Staleness:
        """The staleness that metrics.csv sums up, too: without each worker's first gradients of an epoch."""
        return Staleness({value: count for (kind, value), count in self.staleness.items() if kind == USUAL})


def simulate(
    rule: Rule, load: Load, times: ComputeTimes, costs: Costs, rng: np.random.Generator
) -> Simulated:
    """Run the epochs, one after the other. Gradients that the server still holds count in the next epoch."""
    server = _Server(rule, costs)
    for _ in range(load.epochs):
        _epoch(server, load, times.draw(rng, load.workers, load.batches).tolist())
    return server.done


class _Server:
    """The server's clock, what it holds, and when it is free."""

    def __init__(self, rule: Rule, costs: Costs) -> None:
        self.rule = rule
        self.costs = costs
        self.done = Simulated()
        self.held = 0

    def take(self, arrival: float, seen: int, kind: str) -> bool:
        """Take a push that arrives with weights of the clock `seen`; whether it led to an update."""
        done = self.done
        stale = done.updates - seen
        done.pushes += 1
        done.staleness[kind, stale] += 1
        done.seconds = max(done.seconds, arrival) + self.costs.push
        if stale and self.rule.drops:
            done.dropped += 1
            return False
        self.held += 1
        if self.held < self.rule.gradients:
            return False
        self.held = 0
        done.updates += 1
        done.seconds += self.costs.update
        return True


def _epoch(server: _Server, load: Load, times: list[list[float]]) -> None:
    """All pushes of an epoch, in the order of their arrival; equal times in that of the events before."""
    start, order = server.done.seconds, itertools.count()
    arrivals = [(start + own[0], next(order), worker) for worker, own in enumerate(times)]
    heapq.heapify(arrivals)
    seen = [server.done.updates] * load.workers
    computed = [0] * load.workers
    waiting: list[int] = []
    while arrivals:
        arrival, _, worker = heapq.heappop(arrivals)
        updated = server.take(arrival, seen[worker], USUAL if computed[worker] else FIRST)
        computed[worker] += 1
        waiting.append(worker)
        if server.rule.waits and not updated:
            continue
        for going in waiting:
            seen[going] = server.done.updates
            if computed[going] < load.batches:
                finished = server.done.seconds + times[going][computed[going]]
                heapq.heappush(arrivals, (finished, next(order), going))
        waiting.clear()
