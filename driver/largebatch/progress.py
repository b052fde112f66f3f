"""Progress of a run on standard error: one line that is rewritten on a terminal, plain lines elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Hashable, Mapping
from typing import TextIO

REFRESH_S = 0.2


def duration(seconds: float) -> str:
    """Seconds as 42s, 3m05s or 1h02m."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


class Progress:
    """Shows updates and epochs of one run. `updates_done` of `updates_total` were there at the start."""

    def __init__(
        self, title: str, epochs: int, updates_total: int, updates_done: int, stream: TextIO | None = None
    ) -> None:
        self._title = title
        self._epochs = epochs
        self._total = updates_total
        self._first = updates_done
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._started = time.monotonic()
        self._shown = 0.0
        self._images = 0

    def note(self, text: str) -> None:
        """A line that stays."""
        self._clear()
        print(text, file=self._stream, flush=True)

    def update(self, updates: int, rows: int, loss: float) -> None:
        """An update with the mean loss of its batch has been done."""
        self._images += rows
        now = time.monotonic()
        if not self._live or now - self._shown < REFRESH_S:
            return
        self._shown = now
        rate = self._images / (now - self._started)
        self._rewrite(
            f"{self._title}  epoch {self._epoch_of(updates)}/{self._epochs}  update {updates}/{self._total}  "
            f"loss {loss:.4g}  {rate:.0f} images/s  {self._left(updates)} left"
        )

    def epoch(self, row: Mapping[Hashable, float]) -> None:
        """An epoch has ended, with this row of metrics.csv."""
        updates = int(row["updates"])
        self.note(
            f"{self._title}  epoch {row['epoch']:.0f}/{self._epochs}  update {updates}/{self._total}  "
            f"loss {row['train_loss']:.4g}  "
            f"train {row['train_accuracy']:.2%}  test {row['test_accuracy']:.2%}  "
            f"{row['images_per_second']:.0f} images/s  {self._left(updates)} left"
        )

    def close(self) -> None:
        """Leave the terminal clean."""
        self._clear()

    def _epoch_of(self, updates: int) -> int:
        return max(1, -(-updates * self._epochs // self._total))

    def _left(self, updates: int) -> str:
        done = max(1, updates - self._first)
        return duration((time.monotonic() - self._started) / done * (self._total - updates))

    def _rewrite(self, text: str) -> None:
        width = shutil.get_terminal_size().columns - 1
        self._stream.write("\r\x1b[K" + text[:width])
        self._stream.flush()

    def _clear(self) -> None:
        if self._live:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
