"""Protocols of the parameter server, a file each, and a server that follows them, literally.

A push is what one worker sends: or all workers together, where a protocol is bulk-synchronous.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import NamedTuple, Protocol

import numpy as np

from largebatch.settings.protocols import PROTOCOLS
from tests.reference import Floats


class Push(NamedTuple):
    """Gradient g (P,) summed over some rows; `worker` counts from 1, `seen` is the clock of its weights."""

    worker: int
    seen: int
    rows: int
    loss: float
    g: Floats


class Twin(Protocol):
    """What the file of a protocol has."""

    OWN: dict[str, int]  # settings of its own, at values to try

    def pushes_per_update(self, workers: int, settings: Mapping[str, int]) -> int:
        """Number of pushes that an update takes."""

    def takes(self, staleness: int) -> bool:
        """Whether a gradient as stale as this counts."""


def twin(name: str) -> Twin:
    """The twin of a protocol."""
    found: Twin = import_module(f"{__name__}.{name}")
    return found


TWINS = {name: twin(name) for name in PROTOCOLS}

Step = Callable[[Floats, int, float], None]  # of an optimizer: mean gradient, number of the update, rate


@dataclass
class Server:
    """Rudra's server. `rate` gives the learning rate of each update, by its number from 1.

    `staleness` has a tuple for every push: epoch, kind (1 for the first one of its worker in the epoch,
    else 2) and staleness.
    """

    twin: Twin
    workers: int
    settings: Mapping[str, int]
    modulation: str
    step: Step
    rate: Callable[[int], float]
    clock: int = 0
    epoch: int = 0
    dropped: int = 0
    begun: set[int] = field(default_factory=set)  # workers that have pushed in this epoch
    held: list[tuple[Push, float]] = field(default_factory=list)  # with a weight each
    staleness: list[tuple[int, int, int]] = field(default_factory=list)

    def begin_epoch(self) -> None:
        """All workers get the weights; what is held back stays."""
        self.epoch += 1
        self.begun.clear()

    def receive(self, push: Push) -> None:
        """Take a push, and update the weights if that is due."""
        stale = self.clock - push.seen
        self.staleness.append((self.epoch, 2 if push.worker in self.begun else 1, stale))
        self.begun.add(push.worker)
        if not self.twin.takes(stale):
            self.dropped += 1
            return
        self.held.append((push, 1 / max(stale, 1) if self.modulation == "per_gradient" else 1))
        if len(self.held) == self._c:
            self._update()

    @property
    def _c(self) -> int:
        return self.twin.pushes_per_update(self.workers, self.settings)

    def _update(self) -> None:
        rows = np.array([push.rows for push, _ in self.held])
        weights = np.array([weight for _, weight in self.held])
        g = np.sum([weight * push.g for push, weight in self.held], axis=0) / (weights @ rows)
        self.clock += 1
        rate = self.rate(-(-len(self.staleness) // self._c)) / self._divisor()
        self.step(g, self.clock, rate * np.average(weights, weights=rows))
        self.held.clear()

    def _divisor(self) -> float:
        """Of the rate: the mean staleness so far, without the first gradients, which may come late.

        The run begins as if each worker had pushed a gradient as stale as those of equal workers are.
        """
        before = [(self.workers - 1) / self._c] * self.workers
        usual = [stale for _, kind, stale in self.staleness if kind == 2]
        return max(1.0, float(np.mean(before + usual))) if self.modulation == "average" else 1.0
