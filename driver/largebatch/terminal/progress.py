"""Progress of a run on standard error: a bar on a terminal or in a notebook, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from largebatch.terminal.bars import LOCK, bar_for
from largebatch.terminal.say import say

if TYPE_CHECKING:
    from tqdm import tqdm

REFRESH_S = 0.2
BAR_FORMAT = "{desc}  |{bar}|  update {n}/{total}{postfix}"


def duration(seconds: float) -> str:
    """Seconds as 42s, 3m05s or 1h02m."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


def _accuracies(row: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """Accuracy on each part of the data that is there."""
    for part in ("train", "validation", "test"):
        if f"{part}_accuracy" in row:
            yield part, row[f"{part}_accuracy"]


@dataclass
class Progress:
    """Shows updates and epochs of one run, whose first `updates_done` updates were done earlier.

    `left` describes the remaining work; by default, the remaining time of this run is shown. Several
    threads may show the progress of a run each.
    """

    title: str
    epochs: int
    updates_total: int
    updates_done: int
    stream: TextIO | None = None
    left: Callable[[], str] | None = None

    def __post_init__(self) -> None:
        self._stream = self.stream or sys.stderr
        self._kind = bar_for(self._stream)
        self._bar: tqdm[Any] | None = None
        self._started = time.monotonic()
        self._images = 0

    def note(self, text: str) -> None:
        """A line that stays."""
        say(text, stream=self._stream)

    def update(self, updates: int, rows: int, loss: float) -> None:
        """An update with the mean loss of its batch has been done."""
        self._images += rows
        if self._kind is None:
            return
        epoch = max(1, -(-updates * self.epochs // self.updates_total))
        rate = self._images / (time.monotonic() - self._started)
        before = f"{self.title}  epoch {epoch}/{self.epochs}"
        after = f"loss {loss:.4g}, {rate:.0f} images/s, {self._left(updates)}"
        if self._bar is None:
            with LOCK:  # other threads' lines would not clear a bar that is half made or half closed
                self._bar = self._new_bar(self._kind, updates, before, after)
        else:
            self._bar.set_description_str(before, refresh=False)
            self._bar.set_postfix_str(after, refresh=False)
            self._bar.update(updates - self._bar.n)

    def epoch(self, row: Mapping[str, float]) -> None:
        """An epoch has ended, with this row of metrics.csv."""
        updates = int(row["updates"])
        if row.get("dropped"):
            self._expect(max(updates, round(updates / row["epoch"] * self.epochs)))
        self.note(
            f"{self.title}  epoch {row['epoch']:.0f}/{self.epochs}  update {updates}/{self.updates_total}  "
            f"loss {row['train_loss']:.4g}  "
            f"{''.join(f'{part} {value:.2%}  ' for part, value in _accuracies(row))}"
            f"{row['images_per_second']:.0f} images/s  {self._left(updates)}"
        )

    def _expect(self, updates: int) -> None:
        """Another number of updates in all: there are fewer where the server drops gradients."""
        self.updates_total = updates
        if self._bar is not None:
            self._bar.total = updates

    def close(self) -> None:
        """Leave the terminal clean."""
        if self._bar is not None:
            with contextlib.suppress(BrokenPipeError), LOCK:
                self._bar.close()

    def _new_bar(self, kind: type[tqdm[Any]], updates: int, before: str, after: str) -> tqdm[Any]:
        return kind(
            total=self.updates_total,
            initial=updates,
            desc=before,
            postfix=after,
            bar_format=BAR_FORMAT,
            file=self._stream,
            leave=False,
            mininterval=REFRESH_S,
            miniters=1,
        )

    def _left(self, updates: int) -> str:
        if self.left is not None:
            return self.left()
        done = max(1, updates - self.updates_done)
        return f"{duration((time.monotonic() - self._started) / done * (self.updates_total - updates))} left"
