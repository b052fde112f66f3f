"""Points of the unit cube that fill it evenly, however many are taken."""

from __future__ import annotations

import functools

Point = tuple[float, ...]


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
