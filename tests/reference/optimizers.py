"""Optimizers on flat vectors, and the groups of parameters that share one trust ratio.

w parameters (P,), g mean gradient (P,) without weight decay, v velocity (P,), gamma rate, m momentum,
beta weight decay, eta trust coefficient, lambda_l trust ratio of group l. Norms are Euclidean.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Literal

import numpy as np

from . import Floats, Ints, Shapes

Hyper = Mapping[str, float]
Stepped = tuple[Floats, Floats, Floats]  # w (P,), state (P, s), ratio (L,)

STATE_COLUMNS = {"sgd": 0, "sgd_momentum": 1, "lars": 1}


def initial_state(name: str, P: int) -> Floats:
    """Zeros (P, s), a column for each vector that the optimizer keeps."""
    return np.zeros((P, STATE_COLUMNS[name]))


def step(
    name: str, w: Floats, g: Floats, state: Floats, t: int, rate: float, groups: Ints, hyper: Hyper
) -> Stepped:
    """New parameters (P,), new state (P, s), and the ratio (L,) that each group's rate was multiplied by.

    t counts the updates from 0; groups (L, 3) as `groups` makes them; hyper: momentum, weight_decay,
    trust_coefficient.
    """
    return OPTIMIZERS[name](w, g, state, t, rate, groups, hyper)


def sgd(w: Floats, g: Floats, state: Floats, t: int, rate: float, groups: Ints, hyper: Hyper) -> Stepped:
    """w = w - gamma*(g + beta*w)."""
    beta = hyper["weight_decay"]
    return w - rate * (g + beta * w), state, np.ones(len(groups))


def sgd_momentum(
    w: Floats, g: Floats, state: Floats, t: int, rate: float, groups: Ints, hyper: Hyper
) -> Stepped:
    """g' = g + beta*w;  v = m*v - gamma*g';  w = w + v."""
    m, beta = hyper["momentum"], hyper["weight_decay"]
    v = m * state[:, 0] - rate * (g + beta * w)
    return w + v, v[:, None], np.ones(len(groups))


def lars(w: Floats, g: Floats, state: Floats, t: int, rate: float, groups: Ints, hyper: Hyper) -> Stepped:
    """v = m*v - gamma*lambda_l*(g + beta*w);  w = w + v  (equation 1 with momentum).

    You, Gitman, Ginsburg 2017, Algorithm 1: the rate and the ratio stand inside the momentum.
    """
    m, beta = hyper["momentum"], hyper["weight_decay"]
    v = m * state[:, 0]
    ratio = np.ones(len(groups))
    for number, (begin, end, adapt) in enumerate(groups):
        part = slice(begin - 1, end)
        if adapt:
            ratio[number] = lars_ratio(w[part], g[part], hyper["trust_coefficient"], beta)
        v[part] -= rate * ratio[number] * (g[part] + beta * w[part])
    return w + v, v[:, None], ratio


def lars_ratio(w: Floats, g: Floats, eta: float, beta: float) -> float:
    """lambda_l = eta*|w_l| / (|g_l| + beta*|w_l|) (equation 3), and 1 when either norm is 0."""
    w_norm, g_norm = np.linalg.norm(w), np.linalg.norm(g)
    if w_norm == 0 or g_norm == 0:
        return 1.0
    return float(eta * w_norm / (g_norm + beta * w_norm))


OPTIMIZERS = {"sgd": sgd, "sgd_momentum": sgd_momentum, "lars": lars}


def groups(shapes: Shapes, scope: Literal["layer", "parameter"], adapt_biases: bool) -> Ints:
    """First and last entry in w (from 1, both inclusive) and adapt (1 or 0) of each group: (L, 3).

    Scope "parameter" makes a group of every array, "layer" of adjacent arrays of one layer. Biases that don't
    adapt are groups of their own in either scope.
    """
    keys = []
    for index, (_, _, layer) in enumerate(shapes):
        plain = not adapt_biases and _is_bias(shapes, index)
        keys.append((index if scope == "parameter" else layer, plain))
    rows = []
    end = 0
    for (_, plain), members in itertools.groupby(range(len(shapes)), key=lambda index: keys[index]):
        begin = end + 1
        end += sum(shapes[index][0] * shapes[index][1] for index in members)
        rows.append((begin, end, int(not plain)))
    return np.array(rows, dtype=np.int64)


def _is_bias(shapes: Shapes, index: int) -> bool:
    """Whether an array is the second of its layer, and a single row or column."""
    rows, cols, layer = shapes[index]
    before = [shape for shape in shapes[:index] if shape[2] == layer]
    return len(before) == 1 and 1 in (rows, cols)
