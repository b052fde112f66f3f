"""Learning rates: t counts the updates from 0.

Every schedule may start with a linear warm-up of w updates. Its own count s starts at 0 behind it and ends at
T = total - w.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

Hyper = Mapping[str, Any]


def rate(hyper: Hyper, t: int) -> float:
    """The rate of update t.

    hyper: schedule, rate (gamma0, the peak), warmup (w), and what the schedule asks for: decay;
    total, power, end_rate; total, factor, milestones.
    """
    w = hyper["warmup"]
    if t < w:
        return float(hyper["rate"] * (t + 1) / w)
    return SCHEDULES[hyper["schedule"]](hyper, t - w)


def constant(hyper: Hyper, s: int) -> float:
    """gamma0."""
    return float(hyper["rate"])


def inverse_time(hyper: Hyper, s: int) -> float:
    """gamma0 / (1 + decay*s): the paper's "decay" (Table 1)."""
    return float(hyper["rate"] / (1 + hyper["decay"] * s))


def polynomial(hyper: Hyper, s: int) -> float:
    """end + (gamma0 - end) * (1 - s/T)^power, and end from T on."""
    T = hyper["total"] - hyper["warmup"]
    end = hyper["end_rate"]
    return float(end + (hyper["rate"] - end) * (1 - min(s, T) / T) ** hyper["power"])


def cosine(hyper: Hyper, s: int) -> float:
    """end + (gamma0 - end) * (1 + cos(pi*s/T)) / 2, and end from T on (Loshchilov, Hutter 2017)."""
    T = hyper["total"] - hyper["warmup"]
    end = hyper["end_rate"]
    return float(end + (hyper["rate"] - end) * (1 + math.cos(math.pi * min(s, T) / T)) / 2)


def multi_step(hyper: Hyper, s: int) -> float:
    """gamma0 * factor^k with k the number of milestones m, fractions of T, that lie behind: s >= m*T.

    Factor 0.1 at 0.5 and 0.75 is the one of Lin, Kong, Stich, Jaggi 2020.
    """
    T = hyper["total"] - hyper["warmup"]
    passed = sum(s >= round(m * T, 9) for m in hyper["milestones"])
    return float(hyper["rate"] * hyper["factor"] ** passed)


SCHEDULES = {
    "constant": constant,
    "inverse_time": inverse_time,
    "polynomial": polynomial,
    "cosine": cosine,
    "multi_step": multi_step,
}
