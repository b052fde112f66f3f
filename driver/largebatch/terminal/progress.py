"""Progress of a run on standard error: one line that is rewritten on a terminal, plain lines elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import TextIO

from largebatch.terminal.say import say

REFRESH_S = 0.2


def duration(seconds: float) -> str:
    """Seconds as 42s, 3m05s or 1h02m."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


@dataclass
class Progress:
    """Shows updates and epochs of one run. `updates_done` of `updates_total` were there at the start.

    `left` says what is left, if not the time for the run's own updates. `alone` is whether nobody else
    writes lines meanwhile, so that one can be rewritten.
    """

    title: str
    epochs: int
    updates_total: int
    updates_done: int
    stream: TextIO | None = None
    left: Callable[[], str] | None = None
    alone: bool = True

    def __post_init__(self) -> None:
        self._stream = self.stream or sys.stderr
        self._live = self.alone and self._stream.isatty()
        self._started = time.monotonic()
        self._shown = 0.0
        self._images = 0

    def note(self, text: str) -> None:
        """A line that stays."""
        self._clear()
        self._write(f"{text}\n")  # in one piece: other threads may write too

    def update(self, updates: int, rows: int, loss: float) -> None:
        """An update with the mean loss of its batch has been done."""
        self._images += rows
        now = time.monotonic()
        if not self._live or now - self._shown < REFRESH_S:
            return
        self._shown = now
        rate = self._images / (now - self._started)
        self._rewrite(
            f"{self.title}  epoch {self._epoch_of(updates)}/{self.epochs}  "
            f"update {updates}/{self.updates_total}  loss {loss:.4g}  "
            f"{rate:.0f} images/s  {self._left(updates)}"
        )

    def epoch(self, row: Mapping[Hashable, float]) -> None:
        """An epoch has ended, with this row of metrics.csv."""
        updates = int(row["updates"])
        self.note(
            f"{self.title}  epoch {row['epoch']:.0f}/{self.epochs}  update {updates}/{self.updates_total}  "
            f"loss {row['train_loss']:.4g}  "
            f"train {row['train_accuracy']:.2%}  test {row['test_accuracy']:.2%}  "
            f"{row['images_per_second']:.0f} images/s  {self._left(updates)}"
        )

    def close(self) -> None:
        """Leave the terminal clean."""
        self._clear()

    def _epoch_of(self, updates: int) -> int:
        return max(1, -(-updates * self.epochs // self.updates_total))

    def _left(self, updates: int) -> str:
        if self.left is not None:
            return self.left()
        done = max(1, updates - self.updates_done)
        return f"{duration((time.monotonic() - self._started) / done * (self.updates_total - updates))} left"

    def _rewrite(self, text: str) -> None:
        width = shutil.get_terminal_size().columns - 1
        self._write("\r\x1b[K" + text[:width])

    def _clear(self) -> None:
        if self._live:
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        say(text, end="", stream=self._stream)
