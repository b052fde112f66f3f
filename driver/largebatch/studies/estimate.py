"""Estimates of epoch times from measured ones. Pure."""

from __future__ import annotations

import math
from collections import defaultdict, deque

from largebatch.settings.training import Training

ROUGH_S = 25.0  # an epoch over ROUGH_ROWS images on two cores; used until an epoch is measured
ROUGH_ROWS = 60_000
REMEMBERED = 5  # last epochs of each batch size, whose mean is the estimate


class Timing:
    """Seconds of epochs, by network and batch size."""

    def __init__(self) -> None:
        self._per_row: dict[tuple[str, int], deque[float]] = defaultdict(lambda: deque(maxlen=REMEMBERED))
        self.measured = 0  # epochs so far

    @property
    def basis(self) -> str:
        """What the estimates rest on, in words."""
        rough = f"nothing is measured yet: {ROUGH_S:g} s are taken for {ROUGH_ROWS} images"
        return f"as {self.measured} epochs took here" if self.measured else rough

    def add(self, training: Training, rows: int, seconds: float) -> None:
        """Record the duration of an epoch over `rows` training rows."""
        self.measured += 1
        self._per_row[training.network, training.batch_size].append(seconds / rows)

    def epoch(self, training: Training, rows: int) -> float:
        """Estimate for an epoch, from those of the same network with the nearest batch size."""
        sizes = [size for network, size in self._per_row if network == training.network]
        if not sizes:
            return ROUGH_S / ROUGH_ROWS * rows
        nearest = min(sizes, key=lambda size: abs(math.log(size / training.batch_size)))
        measured = self._per_row[training.network, nearest]
        return sum(measured) / len(measured) * rows
