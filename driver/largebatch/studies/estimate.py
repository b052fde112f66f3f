"""Estimates of epoch times from measured ones. Pure."""

from __future__ import annotations

import math
from collections import defaultdict, deque

from largebatch.settings.training import Training
from largebatch.terminal.words import counted

ROUGH_ROWS = 60_000  # of data that are not at hand
ROUGH_SECONDS = 1  # of an epoch of few rows, beside the time for these
SESSION_START_S = 10.0  # added to the time of what a session must be started for
REMEMBERED = 5  # last epochs of each batch size, whose mean is the estimate


class Timing:
    """Seconds of epochs, by network and batch size."""

    def __init__(self) -> None:
        self._per_row: dict[tuple[str, int], deque[float]] = defaultdict(lambda: deque(maxlen=REMEMBERED))
        self.measured = 0  # epochs so far
        self._guessed: dict[str, int] = {}  # rates taken for networks without a measured epoch

    @property
    def basis(self) -> str:
        """What the estimates asked for so far rest on, in words."""
        found = [f"as {counted(self.measured, 'epoch')} took here"] if self.measured else []
        known = {network for network, _ in self._per_row}
        guessed = [f"{r} images/s for {name}" for name, r in self._guessed.items() if name not in known]
        if guessed:
            found.append(f"not measured yet: {', '.join(guessed)}")
        return "; ".join(found) or "nothing is left"

    def add(self, training: Training, rows: int, seconds: float) -> None:
        """Record the duration of an epoch over `rows` training rows."""
        self.measured += 1
        self._per_row[training.network, training.batch_size].append(seconds / rows)

    def epoch(self, training: Training, rows: int) -> float:
        """Estimate for an epoch, from those of the same network with the nearest batch size."""
        sizes = [size for network, size in self._per_row if network == training.network]
        if not sizes:
            rate = self._guessed[training.network] = training.architecture.rough_rate
            return ROUGH_SECONDS + rows / rate
        nearest = min(sizes, key=lambda size: abs(math.log(size / training.batch_size)))
        measured = self._per_row[training.network, nearest]
        return sum(measured) / len(measured) * rows
