"""Waiting, on a machine that may be suspended meanwhile."""

from __future__ import annotations

import time

PIECE_S = 1.0  # how long a wait lasts at most before the clock is looked at


class Patience:
    """Seconds that may pass. Time in which this process was stopped, as by a batch system, does not count."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.renew()

    def renew(self) -> None:
        """All of it is there again."""
        self._left = self._seconds
        self._looked = time.monotonic()

    def piece(self) -> float:
        """Seconds to wait now, before the next call; 0 when no time is left."""
        now = time.monotonic()
        self._left -= min(now - self._looked, 2 * PIECE_S)  # longer than it asked for: it was stopped
        self._looked = now
        return min(max(self._left, 0.0), PIECE_S)
