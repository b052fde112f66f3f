"""What several seeds say: medians, bootstrap intervals, differences that hold over the seeds. Pure.

A run that diverged counts as minus infinity: it is behind every other, and moves the median.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from largebatch.settings.tuning import LEAST_SEEDS

BY_CHANCE = (  # in 2 / 2^n of cases
    "Of two equal lines, one is ahead by chance in 25 % of cases with three seeds, in 6 % with five."
)
OF_INTERVAL = (
    "The interval is that of the median at 95 %, by bootstrap over the seeds. Of fewer than six it is their "
    "range, which is narrower than 95 % asks for."
)
CONFIDENCE = 0.95
RESAMPLES = 9999
_SEED = 20181206  # of the resamples, so that equal results give equal reports

BySeed = Mapping[int, float]  # the value of each seed's run


def bootstrap_interval(values: Sequence[float]) -> tuple[float, float]:
    """The percentile interval of the median (Efron 1979), at 95 %; of one value it is that value."""
    given = np.asarray(values, dtype=float)
    drawn = np.random.default_rng(_SEED).integers(len(given), size=(RESAMPLES, len(given)))
    medians = np.median(given[drawn], axis=1)
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(medians, [tail, 100 - tail], method="inverted_cdf")
    return float(low), float(high)


@dataclass(frozen=True)
class Difference:
    """Two lines, seed by seed: how many seeds they share, and in how many the first is above or below."""

    seeds: int
    above: int
    below: int

    @property
    def is_ahead(self) -> bool:
        """Whether the first line is told to be ahead: with every seed, of which there are enough."""
        return self.seeds >= LEAST_SEEDS and self.above == self.seeds

    @property
    def is_told(self) -> bool:
        """Whether either line is ahead."""
        return self.seeds >= LEAST_SEEDS and self.seeds in (self.above, self.below)


def paired(one: BySeed, other: BySeed) -> Difference:
    """The difference over the seeds that two lines share: there, start values and batches are equal."""
    common = sorted(set(one) & set(other))
    above = sum(one[seed] > other[seed] for seed in common)
    below = sum(one[seed] < other[seed] for seed in common)
    return Difference(len(common), above, below)


@dataclass(frozen=True)
class Rank:
    """A line among others at one batch size, by its median over the seeds.

    `ahead_of` are the lines that it is told to be ahead of, `beside` those that it is not told apart from.
    """

    line: str
    values: tuple[float, ...]
    ahead_of: tuple[str, ...]
    beside: tuple[str, ...]

    @property
    def median(self) -> float:
        """Over the seeds."""
        return float(np.median(self.values))

    @property
    def interval(self) -> tuple[float, float]:
        """That of the median."""
        return bootstrap_interval(self.values)


def ranking(lines: Mapping[str, BySeed]) -> list[Rank]:
    """The lines from the highest median to the lowest; equal ones in the order given."""
    found = [
        Rank(
            name,
            tuple(own.values()),
            tuple(n for n, other in lines.items() if paired(own, other).is_ahead),
            tuple(n for n, other in lines.items() if n != name and not paired(own, other).is_told),
        )
        for name, own in lines.items()
        if own
    ]
    return sorted(found, key=lambda rank: -rank.median)
