"""Adam (Kingma, Ba 2015, Algorithm 1), weight decay inside the gradient."""

from __future__ import annotations

import numpy as np

from tests.reference import Floats, Ints
from tests.reference.optimizers import Hyper, Stepped

STATE_COLUMNS = 2
LAWS = frozenset({"ratios of one"})
# g + beta*w: 0.3, 2.4, 1.2; m: 0.65, 0.7, 0.85; v: 2.25 + 0.0225, 3 + 1.44, 0.75 + 0.36
BY_HAND = (
    [3 - 2 * 1.3 / (9.09**0.5 + 1), 4 - 2 * 1.4 / (17.76**0.5 + 1), 2 - 2 * 1.7 / (4.44**0.5 + 1)],
    [0.65, 2.2725, 0.7, 4.44, 0.85, 1.11],
    [1, 1],
)


def direction(g: Floats, state: Floats, t: int, hyper: Hyper) -> tuple[Floats, Floats]:
    """m/(1 - beta1^t) / (sqrt(v/(1 - beta2^t)) + epsilon), and the moments m, v with this gradient."""
    beta1, beta2 = hyper["beta1"], hyper["beta2"]
    m = beta1 * state[:, 0] + (1 - beta1) * g
    v = beta2 * state[:, 1] + (1 - beta2) * g**2
    r = m / (1 - beta1**t) / (np.sqrt(v / (1 - beta2**t)) + hyper["epsilon"])
    return r, np.column_stack([m, v])


def step(w: Floats, g: Floats, state: Floats, t: int, rate: float, groups: Ints, hyper: Hyper) -> Stepped:
    """w = w - gamma*r, r of g + beta*w."""
    r, moments = direction(g + hyper["weight_decay"] * w, state, t, hyper)
    return w - rate * r, moments, np.ones(len(groups))
