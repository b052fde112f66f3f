"""Epochs of a sweep: how many are done, and how long the others will take. For several threads."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from largebatch.studies.estimate import Timing
from largebatch.studies.tasks import Task
from largebatch.terminal.progress import duration


class Tally:
    """Counts the epochs of all tasks; its times are those of `timing`, to which it adds."""

    def __init__(self, tasks: Sequence[Task], timing: Timing, jobs: int) -> None:
        self._lock = threading.Lock()
        self._tasks = {task.name: task for task in tasks}
        self._left = {task.name: task.epochs_left for task in tasks}
        self._total = sum(task.training.epochs for task in tasks)
        self._timing = timing
        self._jobs = jobs

    def epoch(self, name: str, seconds: float) -> None:
        """An epoch of a run has been done."""
        task = self._tasks[name]
        with self._lock:
            self._left[name] -= 1
            self._timing.add(task.training, task.rows, seconds)

    def drop(self, name: str) -> None:
        """Nothing more will be done for a run."""
        with self._lock:
            self._left[name] = 0

    def epoch_seconds(self, name: str) -> float:
        """Estimate for the next epoch of a run."""
        with self._lock:
            return self._estimate(name)

    def _estimate(self, name: str) -> float:
        return self._timing.epoch(self._tasks[name].training, self._tasks[name].rows)

    def __str__(self) -> str:
        """As the end of a line of progress."""
        with self._lock:
            left = sum(self._left.values())
            seconds = sum(epochs * self._estimate(name) for name, epochs in self._left.items()) / self._jobs
        return f"{self._total - left}/{self._total} epochs of all, {duration(seconds)} left"
