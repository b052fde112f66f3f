"""Where a sweep takes its runs from: a list, or a queue that grows as results come in."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from largebatch.records.result import Result
from largebatch.studies.tasks import Task

Fits = Callable[[Task], bool]  # whether a run can begin now, and an epoch of it end in time


class Queue(Protocol):
    """Runs to carry out. A sweep calls one method at a time."""

    @property
    def most_workers(self) -> int:
        """The largest number of workers of all runs, present and future."""

    @property
    def may_grow(self) -> bool:
        """Whether the end of a run can add further runs."""

    def next(self, fits: Fits) -> Task | None:
        """Take the next run if it fits; None if it does not fit, or if there is no run now."""

    def ended(self, task: Task, result: Result | None) -> None:
        """A run that `next` gave has ended; `result` is None if the run could not even begin.

        Runs that a time limit or an interrupt ended are not reported: no run follows them.
        """


class ListQueue:
    """The unfinished runs of a list, in order. With `failed_last`, runs that failed before come last."""

    may_grow = False

    def __init__(self, tasks: Sequence[Task], *, failed_last: bool = False) -> None:
        left = [task for task in tasks if not task.ended]
        if failed_last:
            left.sort(key=lambda task: task.result is not None)
        self._left = deque(left)
        self.most_workers = max((task.training.workers for task in tasks), default=1)

    def next(self, fits: Fits) -> Task | None:
        """The first run that is left."""
        if not self._left or not fits(self._left[0]):
            return None
        return self._left.popleft()

    def ended(self, task: Task, result: Result | None) -> None:
        """A result adds no runs."""
