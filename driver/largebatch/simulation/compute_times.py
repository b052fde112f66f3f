"""How long a worker takes for a gradient: constant, exponential, log-normal times, or one straggler."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from largebatch.errors import UserError

Times = npt.NDArray[np.float64]
LONGEST_S = 1e6
_TEXT = re.compile(r"([a-z]+):([0-9.e+-]+)(?:,([0-9.e+-]+))?")


@dataclass(frozen=True)
class ComputeTimes:
    """A distribution of the seconds that a gradient takes.

    `mean` is its mean in seconds. `shape` is the coefficient of variation of log-normal times, or how many
    times as long as the others the straggler takes; the other kinds have none.
    """

    kind: str
    mean: float
    shape: float = 0.0

    def draw(self, rng: np.random.Generator, workers: int, batches: int) -> Times:
        """Seconds of each worker's gradients, of shape (workers, batches)."""
        return KINDS[self.kind].draw(self, rng, (workers, batches))


def _constant(times: ComputeTimes, rng: np.random.Generator, shape: tuple[int, int]) -> Times:
    return np.full(shape, times.mean)


def _exponential(times: ComputeTimes, rng: np.random.Generator, shape: tuple[int, int]) -> Times:
    return rng.exponential(times.mean, shape)


def _lognormal(times: ComputeTimes, rng: np.random.Generator, shape: tuple[int, int]) -> Times:
    variance = math.log1p(times.shape**2)
    return rng.lognormal(math.log(times.mean) - variance / 2, math.sqrt(variance), shape)


def _straggler(times: ComputeTimes, rng: np.random.Generator, shape: tuple[int, int]) -> Times:
    seconds = np.full(shape, times.mean)
    seconds[0] *= times.shape
    return seconds


@dataclass(frozen=True)
class Kind:
    """A kind of times: how they are drawn, and what `shape` is, by name, default and range, if it has one."""

    draw: Callable[[ComputeTimes, np.random.Generator, tuple[int, int]], Times]
    shape: str = ""
    default: float = 0.0
    low: float = 0.0
    high: float = 0.0


KINDS = {
    "constant": Kind(_constant),
    "exponential": Kind(_exponential),
    "lognormal": Kind(_lognormal, "coefficient of variation", 0.3, 0.0, 100.0),
    "straggler": Kind(_straggler, "factor", 10.0, 1.0, 1e6),
}


def parse(text: str) -> ComputeTimes:
    """Times from a text such as exponential:0.1 or lognormal:0.1,0.3. Raises UserError."""
    match = _TEXT.fullmatch(text)
    kind = KINDS.get(match[1]) if match else None
    if match is None or kind is None:
        raise UserError(
            f"--compute-time {text!r} must be a kind and its mean seconds, such as exponential:0.1; "
            f"the kinds are {', '.join(KINDS)}"
        )
    mean = _number(text, match[2], "mean", 1e-9, LONGEST_S)
    if match[3] and not kind.shape:
        raise UserError(f"--compute-time {text!r} has a second number, and {match[1]} has no use for it")
    shape = _number(text, match[3], kind.shape, kind.low, kind.high) if match[3] else kind.default
    return ComputeTimes(match[1], mean, shape)


def _number(text: str, part: str, name: str, low: float, high: float) -> float:
    try:
        value = float(part)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise UserError(f"--compute-time {text!r}: the {name} must be a number from {low:g} to {high:g}")
    return value
