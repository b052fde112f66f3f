"""One step that a person can compute: a twin's BY_HAND is its new weights, state and ratios, as lists."""

from __future__ import annotations

import numpy as np

HYPER = {
    "momentum": 0.5, "weight_decay": 0.1, "trust_coefficient": 0.2,
    "beta1": 0.5, "beta2": 0.75, "epsilon": 1.0,
}  # fmt: skip
GROUPS = np.array([[1, 2, 1], [3, 3, 0]])
W = np.array([3.0, 4.0, 2.0])
G = np.array([0.0, 2.0, 1.0])  # with weight decay: 0.3, 2.4, 1.2
V = np.array(
    [[1.0, 3.0], [-1.0, 4.0], [0.5, 1.0]]
)  # the state, of which an optimizer takes the columns that it has
RATE = 2.0
