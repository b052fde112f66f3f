"""Optimizers on flat vectors, a file each, and the groups of parameters that share one trust ratio.

w parameters (P,), g mean gradient (P,) without weight decay, v velocity (P,), gamma rate, m momentum,
beta weight decay, eta trust coefficient, lambda_l trust ratio of group l. Norms are Euclidean.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from importlib import import_module
from typing import Literal, Protocol

import numpy as np

from largebatch.settings.optimizers import OPTIMIZERS
from tests.reference import Floats, Ints, Shapes

Hyper = Mapping[str, float]
Stepped = tuple[Floats, Floats, Floats]  # w (P,), state (P, s), ratio (L,)


class Twin(Protocol):
    """What the file of an optimizer has."""

    STATE_COLUMNS: int  # vectors that the optimizer keeps
    LAWS: frozenset[str]  # names of the laws that hold, beside those that hold for all, see the tests
    BY_HAND: tuple[list[float], list[float], list[float]]  # see problem.py

    def step(
        self, w: Floats, g: Floats, state: Floats, t: int, rate: float, groups: Ints, hyper: Hyper
    ) -> Stepped:
        """New parameters (P,), new state (P, s), and the ratio (L,) that each group's rate was multiplied by.

        t counts the updates from 1; groups (L, 3) as `groups` makes them; hyper: the optimizer's settings.
        """


def twin(name: str) -> Twin:
    """The twin of an optimizer."""
    found: Twin = import_module(f"{__name__}.{name}")
    return found


TWINS = {name: twin(name) for name in OPTIMIZERS}


def own_settings(name: str) -> dict[str, float]:
    """Settings that HYPER of problem.py lacks, at the values to try: OWN of the twin, if there are any."""
    found: dict[str, float] = getattr(TWINS[name], "OWN", {})
    return found


def initial_state(name: str, P: int) -> Floats:
    """Zeros (P, s), a column for each vector that the optimizer keeps."""
    return np.zeros((P, TWINS[name].STATE_COLUMNS))


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
