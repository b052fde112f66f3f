"""What the pixels of a data set look like, in a few numbers that a run's folder keeps."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np

from largebatch.data.stored import Rows, blocks, ends

MIDDLE_OF_BYTES = 127.5


@dataclass(frozen=True)
class Look:
    """Smallest and largest pixel, and the share (0..1) of light ones: those above the middle of the range.

    The range of bytes is 0..255, that of floats is from the smallest to the largest pixel.
    """

    lowest: float
    highest: float
    light: float

    @classmethod
    def of(cls, X: Rows) -> Self:
        """The look of images of shape (N, ...), of bytes or floats."""
        lowest, highest = ends(X)
        middle = MIDDLE_OF_BYTES if X.dtype == np.uint8 else (lowest + highest) / 2
        return cls(lowest, highest, share_above(X, middle))

    def to_mapping(self) -> dict[str, float]:
        """For a run's folder."""
        return asdict(self)

    @classmethod
    def from_mapping(cls, values: Any) -> Self | None:
        """From a run's folder; None if it has none, or no sound one."""
        there: dict[str, Any] = values if isinstance(values, dict) else {}
        numbers: dict[str, Any] = {field.name: there.get(field.name) for field in fields(cls)}
        if all(isinstance(number, float | int) and math.isfinite(number) for number in numbers.values()):
            return cls(**numbers)
        return None


def share_above(X: Rows, limit: float) -> float:
    """The share of the numbers in X that are above a limit, 0..1."""
    return sum(int(np.count_nonzero(block > limit)) for block in blocks(X)) / X.size
