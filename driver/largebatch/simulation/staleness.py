"""Counts of gradients by their staleness: what a simulation and a run's staleness.csv have in common."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from largebatch.records.staleness import KINDS

FIRST, USUAL = KINDS  # a worker's first gradient of an epoch, and all others


@dataclass(frozen=True)
class Staleness:
    """Numbers of gradients by staleness. Without gradients, its figures are not numbers."""

    counts: Mapping[int, int]

    @property
    def total(self) -> int:
        """Number of gradients."""
        return sum(self.counts.values())

    @property
    def mean(self) -> float:
        """Mean staleness."""
        return self._mean(lambda value: value)

    @property
    def deviation(self) -> float:
        """Standard deviation of the staleness."""
        mean = self.mean
        return math.sqrt(self._mean(lambda value: (value - mean) ** 2))

    @property
    def largest(self) -> float:
        """Largest staleness."""
        return max(self.counts, default=math.nan)

    def above(self, limit: float) -> float:
        """The share of gradients whose staleness is above a limit."""
        return self._mean(lambda value: float(value > limit))

    def shares(self) -> dict[int, float]:
        """The share of gradients at each staleness, in rising order."""
        total = self.total
        return {value: self.counts[value] / total for value in sorted(self.counts)}

    def _mean(self, of: Callable[[int], float]) -> float:
        total = self.total
        return sum(of(value) * count for value, count in self.counts.items()) / total if total else math.nan
