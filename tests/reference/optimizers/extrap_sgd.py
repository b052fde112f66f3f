"""EXTRAP-SGD (Lin, Kong, Stich, Jaggi 2020): Nesterov momentum from points of the workers' own."""

from __future__ import annotations

from tests.reference import Floats
from tests.reference.optimizers import Hyper, nesterov

STATE_COLUMNS, LAWS, BY_HAND = nesterov.STATE_COLUMNS, nesterov.LAWS, nesterov.BY_HAND
step = nesterov.step


def point(w: Floats, state: Floats, past: Floats, t: int, rate: float, workers: int, hyper: Hyper) -> Floats:
    """x_k = w + m*v - gh*g_k, with gh = gamma/k unless it is given."""
    gh = hyper.get("extrapolation_rate", rate / workers)
    return w + hyper["momentum"] * state[:, 0] - gh * past
