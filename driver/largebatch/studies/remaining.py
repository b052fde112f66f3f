"""The work left in a sweep: epochs and time. For several threads."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from largebatch.studies.estimate import Timing
from largebatch.studies.tasks import Task
from largebatch.terminal.progress import duration


class Remaining:
    """Counts finished epochs over all runs, and records the duration of each in `timing`."""

    def __init__(self, tasks: Iterable[Task], timing: Timing, jobs: int) -> None:
        self._lock = threading.Lock()
        self._tasks: dict[str, Task] = {}
        self._left: dict[str, int] = {}
        self._timing = timing
        self._jobs = jobs
        for task in tasks:
            self.expect(task)

    def expect(self, task: Task) -> None:
        """Count the epochs of a run that is new, or will go further than expected so far."""
        with self._lock:
            known = self._tasks.get(task.name)
            if known is None or known.goal < task.goal:
                self._tasks[task.name] = task
                self._left[task.name] = task.epochs_left

    def epoch_done(self, task: Task, seconds: float) -> None:
        """An epoch of a run has ended."""
        with self._lock:
            self._left[task.name] -= 1
            self._timing.add(task.training, task.rows, seconds)

    def drop(self, task: Task) -> None:
        """Stop counting on a run: it has ended."""
        with self._lock:
            self._left[task.name] = 0

    def epoch_seconds(self, task: Task) -> float:
        """Estimate for the next epoch of a run."""
        with self._lock:
            return self._timing.epoch(task.training, task.rows)

    def __str__(self) -> str:
        """The end of a line of progress."""
        with self._lock:
            total = sum(task.goal for task in self._tasks.values())
            left = sum(self._left.values())
            seconds = sum(
                epochs * self._timing.epoch(self._tasks[name].training, self._tasks[name].rows)
                for name, epochs in self._left.items()
            )
        return f"{total - left}/{total} epochs of all, {duration(seconds / self._jobs)} left"
