"""LARS, You, Gitman, Ginsburg 2017, Algorithm 1; Chowdhury et al., equations 1 to 3."""

from __future__ import annotations

import numpy as np

from tests.reference import Floats, Ints
from tests.reference.optimizers import Hyper, Stepped

STATE_COLUMNS = 1
LAWS = frozenset({"decay shrinks", "plain descent without momentum", "rates in the state"})
# first ratio: 0.2*5 / (2 + 0.1*5) = 0.4; v: 0.5 - 0.4*0.6, -0.5 - 0.4*4.8, 0.25 - 2.4
BY_HAND = ([3.26, 1.58, -0.15], [0.26, -2.42, -2.15], [0.4, 1])


def step(w: Floats, g: Floats, state: Floats, t: int, rate: float, groups: Ints, hyper: Hyper) -> Stepped:
    """v = m*v - gamma*lambda_l*(g + beta*w);  w = w + v  (equation 1 with momentum).

    You, Gitman, Ginsburg 2017, Algorithm 1: the rate and the ratio stand inside the momentum.
    """
    m, beta = hyper["momentum"], hyper["weight_decay"]
    v = m * state[:, 0]
    ratio = np.ones(len(groups))
    for number, (begin, end, adapt) in enumerate(groups):
        part = slice(begin - 1, end)
        if adapt:
            ratio[number] = trust_ratio(w[part], g[part], hyper["trust_coefficient"], beta)
        v[part] -= rate * ratio[number] * (g[part] + beta * w[part])
    return w + v, v[:, None], ratio


def trust_ratio(w: Floats, g: Floats, eta: float, beta: float) -> float:
    """lambda_l = eta*|w_l| / (|g_l| + beta*|w_l|) (equation 3), and 1 when either norm is 0."""
    w_norm, g_norm = np.linalg.norm(w), np.linalg.norm(g)
    if w_norm == 0 or g_norm == 0:
        return 1.0
    return float(eta * w_norm / (g_norm + beta * w_norm))
