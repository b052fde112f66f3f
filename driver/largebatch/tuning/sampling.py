"""Points of the unit cube that fill it evenly, however many are taken."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

from largebatch.settings.tuning import Dimension

Point = tuple[float, ...]
MOST_DRAWN = 2**15  # by far enough to meet each of 512 combinations of values


@functools.cache
def points(count: int, dimensions: int, seed: int) -> tuple[Point, ...]:
    """The first points of a scrambled Sobol sequence; equal seeds give equal points.

    Fewer points are the first of more, so that a study can get further trials.
    """
    if dimensions == 0:
        return ((),) * count
    from scipy.stats import qmc

    sequence = qmc.Sobol(dimensions, scramble=True, seed=seed)
    whole = sequence.random_base2(max(0, (count - 1).bit_length()))  # it is balanced at powers of 2
    return tuple(tuple(float(u) for u in point) for point in whole[:count])


def different(count: int, dimensions: Sequence[Dimension], seed: int) -> tuple[Point, ...]:
    """The first points of the sequence that give different values; fewer if there are no more."""
    found: dict[tuple[Any, ...], Point] = {}
    drawn = count
    while True:
        for point in points(drawn, len(dimensions), seed):
            found.setdefault(tuple(d.value(u) for d, u in zip(dimensions, point, strict=True)), point)
        if len(found) >= min(count, _combinations(dimensions)) or drawn >= MOST_DRAWN:
            return tuple(found.values())[:count]
        drawn *= 2


def _combinations(dimensions: Sequence[Dimension]) -> float:
    """How many different combinations of values there are."""
    return math.prod(len(set(d.values)) if d.values else math.inf for d in dimensions)
