"""Stochastic gradient descent."""

from __future__ import annotations

import numpy as np

from tests.reference import Floats, Ints
from tests.reference.optimizers import Hyper, Stepped

STATE_COLUMNS = 0
LAWS = frozenset({"decay shrinks", "plain descent without momentum", "rates in the state", "ratios of one"})
# 3 - 2*0.3, 4 - 2*2.4, 2 - 2*1.2
BY_HAND = ([2.4, -0.8, -0.4], [], [1, 1])


def step(w: Floats, g: Floats, state: Floats, t: int, rate: float, groups: Ints, hyper: Hyper) -> Stepped:
    """w = w - gamma*(g + beta*w)."""
    beta = hyper["weight_decay"]
    return w - rate * (g + beta * w), state, np.ones(len(groups))
