"""SGD with Nesterov momentum, in the form that looks ahead."""

from __future__ import annotations

import numpy as np

from tests.reference import Floats, Ints
from tests.reference.optimizers import Hyper, Stepped

STATE_COLUMNS = 1
LAWS = frozenset({"decay shrinks", "plain descent without momentum", "rates in the state", "ratios of one"})
# x: 3.5, 3.5, 2.25; v: 0.5 - 2*0.35, -0.5 - 2*2.35, 0.25 - 2*1.225
BY_HAND = ([2.8, -1.2, -0.2], [-0.2, -5.2, -2.2], [1, 1])


def point(w: Floats, state: Floats, past: Floats, t: int, rate: float, workers: int, hyper: Hyper) -> Floats:
    """x = w + m*v."""
    return w + hyper["momentum"] * state[:, 0]


def step(w: Floats, g: Floats, state: Floats, t: int, rate: float, groups: Ints, hyper: Hyper) -> Stepped:
    """v = m*v - gamma*(g + beta*x);  w = w + v."""
    m, beta = hyper["momentum"], hyper["weight_decay"]
    x = w + m * state[:, 0]
    v = m * state[:, 0] - rate * (g + beta * x)
    return w + v, v[:, None], np.ones(len(groups))
