"""Tracks a run or study while it goes on, from its folder alone: training does not know of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from largebatch.errors import UserError
from largebatch.export.tracker import Tracker, open_tracker, tracked
from largebatch.terminal.say import Say

PERIOD_S = 2.0  # between two looks at the folder
PATIENCE_S = 60.0  # for the last look, when the run has ended


@contextmanager
def watching(path: Path, names: Sequence[str], say: Say) -> Iterator[None]:
    """Keep trackers up to date with a folder while the block runs, which they can neither fail nor stop.

    A tracker that fails is told of once and left out from then on. Raises UserError before the block if a
    package is missing.
    """
    watchers = [_Watcher(path, name, open_tracker(name, path), say) for name in names]
    for watcher in watchers:
        watcher.start()
    try:
        yield
    finally:
        for watcher in watchers:
            watcher.finish()


class _Watcher(threading.Thread):
    """A thread for a tracker. It looks at the folder every few seconds, and once more at the end."""

    def __init__(self, path: Path, name: str, tracker: Tracker, say: Say) -> None:
        super().__init__(name=f"track {name}", daemon=True)
        self._path = path
        self._called = name
        self._tracker = tracker
        self._say = say
        self._over = threading.Event()

    def run(self) -> None:
        try:
            while not self._over.wait(PERIOD_S):
                self._look()
            self._look()
            self._tracker.close()
        except Exception as error:  # of somebody else's program: the run must not feel it
            reason = (str(error) or type(error).__name__).splitlines()[0]
            self._say(
                f"--track {self._called} failed: {reason}; the run goes on without it, and "
                f"`largebatch export {self._path} --to {self._called}` tells it later"
            )

    def finish(self) -> None:
        """Wait for the last look, but not for ever."""
        self._over.set()
        self.join(PATIENCE_S)
        if self.is_alive():
            self._say(f"--track {self._called} does not answer; the run is complete without it")

    def _look(self) -> None:
        try:
            runs = list(tracked(self._path))
        except UserError:  # it has not begun, or a file is being written
            return
        for run in runs:
            self._tracker.sync(run)
