"""SGD with momentum: the rate sits inside the velocity."""

from __future__ import annotations

import numpy as np

from tests.reference import Floats, Ints
from tests.reference.optimizers import Hyper, Stepped

STATE_COLUMNS = 1
LAWS = frozenset({"decay shrinks", "plain descent without momentum", "rates in the state", "ratios of one"})
# v: 0.5 - 0.6, -0.5 - 4.8, 0.25 - 2.4
BY_HAND = ([2.9, -1.3, -0.15], [-0.1, -5.3, -2.15], [1, 1])


def step(w: Floats, g: Floats, state: Floats, t: int, rate: float, groups: Ints, hyper: Hyper) -> Stepped:
    """g' = g + beta*w;  v = m*v - gamma*g';  w = w + v."""
    m, beta = hyper["momentum"], hyper["weight_decay"]
    v = m * state[:, 0] - rate * (g + beta * w)
    return w + v, v[:, None], np.ones(len(groups))
