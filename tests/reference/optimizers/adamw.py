"""AdamW (Loshchilov, Hutter 2019, Algorithm 2)."""

from __future__ import annotations

import numpy as np

from tests.reference import Floats, Ints
from tests.reference.optimizers import Hyper, Stepped, adam

STATE_COLUMNS = 2
LAWS = frozenset({"decay shrinks", "ratios of one"})
# m: 0.5, 0.5, 0.75; v: 2.25, 4, 1; r: 1/4, 1/5, 1.5/3
BY_HAND = ([1.9, 2.8, 0.6], [0.5, 2.25, 0.5, 4, 0.75, 1], [1, 1])


def step(w: Floats, g: Floats, state: Floats, t: int, rate: float, groups: Ints, hyper: Hyper) -> Stepped:
    """w = w - gamma*(r + beta*w)."""
    r, moments = adam.direction(g, state, t, hyper)
    return w - rate * (r + hyper["weight_decay"] * w), moments, np.ones(len(groups))
