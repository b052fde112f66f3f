"""LAMB (You et al. 2020, Algorithm 2, phi the identity)."""

from __future__ import annotations

import numpy as np

from tests.reference import Floats, Ints
from tests.reference.optimizers import Hyper, Stepped, adam

STATE_COLUMNS = 2
LAWS = frozenset(set[str]())
# u: 0.55, 0.6, 0.7; first ratio: 5 / |(0.55, 0.6)|
RATIO = 5 / (0.55**2 + 0.6**2) ** 0.5
BY_HAND = (
    [3 - 2 * RATIO * 0.55, 4 - 2 * RATIO * 0.6, 0.6],
    [0.5, 2.25, 0.5, 4, 0.75, 1],
    [RATIO, 1],
)


def step(w: Floats, g: Floats, state: Floats, t: int, rate: float, groups: Ints, hyper: Hyper) -> Stepped:
    """u = r + beta*w;  w_l = w_l - gamma * |w_l|/|u_l| * u_l, ratio 1 when either norm is 0."""
    r, moments = adam.direction(g, state, t, hyper)
    u = r + hyper["weight_decay"] * w
    new, ratio = w.copy(), np.ones(len(groups))
    for number, (begin, end, adapt) in enumerate(groups):
        part = slice(begin - 1, end)
        w_norm, u_norm = np.linalg.norm(w[part]), np.linalg.norm(u[part])
        if adapt and w_norm > 0 and u_norm > 0:
            ratio[number] = w_norm / u_norm
        new[part] -= rate * ratio[number] * u[part]
    return new, moments, ratio
