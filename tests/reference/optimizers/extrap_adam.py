"""EXTRAP-Adam: Adam from points of the workers' own, along past gradients that are scaled as Adam's."""

from __future__ import annotations

import numpy as np

from tests.reference import Floats
from tests.reference.optimizers import Hyper, adam

STATE_COLUMNS, LAWS, BY_HAND = adam.STATE_COLUMNS, adam.LAWS, adam.BY_HAND
step = adam.step


def point(w: Floats, state: Floats, past: Floats, t: int, rate: float, workers: int, hyper: Hyper) -> Floats:
    """x_k = w - gh*g_k / (sqrt(v/(1 - beta2^(t-1))) + epsilon), with gh = gamma/k unless it is given."""
    gh = hyper.get("extrapolation_rate", rate / workers)
    v = state[:, 1] / (1 - hyper["beta2"] ** max(t - 1, 1))
    return w - gh * past / (np.sqrt(v) + hyper["epsilon"])
