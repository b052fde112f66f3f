"""Carries out the runs of a queue. A session serves one run after the other, until a run fails in it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from largebatch.engine.host import Host
from largebatch.engine.own import OWN_JVM
from largebatch.engine.stop import Stop
from largebatch.errors import RunError, UserError
from largebatch.files.lock import InUseError
from largebatch.records.result import EpochRow, Result
from largebatch.records.run_folder import RunFolder
from largebatch.records.study_folder import StudyFolder
from largebatch.runs.job import Job
from largebatch.settings.execution import Execution
from largebatch.studies.estimate import SESSION_START_S
from largebatch.studies.lane import Lane
from largebatch.studies.queue import Queue
from largebatch.studies.remaining import Remaining
from largebatch.studies.tasks import Datasets, Task
from largebatch.terminal.progress import Progress
from largebatch.terminal.say import Say

MAX_FAILED_STARTS = 2  # sessions in a row that don't even start: the next one won't either


class OutOfTimeError(Exception):
    """The next epoch would end after the time limit."""


@dataclass(frozen=True)
class Limits:
    """Limits of a sweep: parallel sessions, seconds in all, and whether each run gets its own session."""

    jobs: int = 1
    seconds: float | None = None
    isolate: bool = False


@dataclass
class Sweep:
    """Carries out the runs of a queue. `title` gives a run's title in lines of progress."""

    folder: StudyFolder
    queue: Queue
    title: Callable[[Task], str]
    datasets: Datasets
    execution: Execution
    limits: Limits
    remaining: Remaining
    say: Say
    host: Host = OWN_JVM
    out_of_time: bool = False

    def __post_init__(self) -> None:
        self.stop = Stop()
        self._changed = threading.Condition()  # guards the queue and all below; notified as a run ends
        self._in_use_once: set[str] = set()
        self._postponed: deque[Task] = deque()
        self._running = 0
        self._given_up = False
        self._started = time.monotonic()

    def carry_out(self) -> None:
        """Return when every run was tried or time is up; results are in the runs' folders.

        Raises errors that end the sweep itself, such as KeyboardInterrupt or a full disk, after all sessions
        have ended.
        """
        with contextlib.closing(self.stop), ThreadPoolExecutor(self.limits.jobs) as pool:
            threads = [pool.submit(self._work) for _ in range(self.limits.jobs)]
            try:
                for thread in as_completed(threads):
                    thread.result()
            except BaseException:
                self.stop.set()
                with self._changed:
                    self._changed.notify_all()
                raise

    def _work(self) -> None:
        """The work of one thread: run after run."""
        slots = None if self.host.can_restart else self.queue.most_workers
        with Lane(self.execution, self.folder, self.stop, self.host, slots) as lane:
            while (task := self._next(lane)) is not None:
                try:
                    _Attempt(self, task, lane).make()
                finally:
                    self._no_longer_running()
                if lane.failed and not self.host.can_restart:
                    self._given_up = True
                if self.limits.isolate:
                    lane.clear()

    def _next(self, lane: Lane) -> Task | None:
        """The next run for a lane. Waits while a run may still come; None once none can."""
        with self._changed:
            while not (self.stop.is_set() or self._given_up or lane.failed_starts >= MAX_FAILED_STARTS):
                task, refused = self._take(lane)
                if task is not None:
                    self._running += 1
                    self.remaining.expect(task)
                    return task
                if refused or not (self._running and self.queue.may_grow):
                    return None
                self._changed.wait()
            return None

    def _take(self, lane: Lane) -> tuple[Task | None, bool]:
        """The next run of the queue, else a postponed one; and whether time was too short for a run."""
        refused = False

        def fits(task: Task) -> bool:
            nonlocal refused
            refused = not self.has_time(task, 0 if lane.fits(task) else SESSION_START_S)
            return not refused

        task = self.queue.next(fits)
        if task is None and not refused and self._postponed and fits(self._postponed[0]):
            task = self._postponed.popleft()
        return task, refused

    def _no_longer_running(self) -> None:
        with self._changed:
            self._running -= 1
            self._changed.notify_all()

    def has_time(self, task: Task, before: float = 0) -> bool:
        """Whether an epoch of the task that starts in `before` seconds would end in time."""
        end = time.monotonic() - self._started + before + self.remaining.epoch_seconds(task)
        fits = self.limits.seconds is None or end <= self.limits.seconds
        self.out_of_time |= not fits
        return fits

    def postpone(self, task: Task) -> bool:
        """Try a task again after all others; False if that was done before."""
        with self._changed:
            if task.name in self._in_use_once:
                return False
            self._in_use_once.add(task.name)
            self._postponed.append(task)
            return True

    def ended(self, task: Task, result: Result | None) -> None:
        """Tell the queue that a run has ended."""
        self.remaining.drop(task)
        with self._changed:
            self.queue.ended(task, result)


class _Attempt:
    """One run, from its last valid checkpoint to its end, good or bad."""

    def __init__(self, sweep: Sweep, task: Task, lane: Lane) -> None:
        self._sweep = sweep
        self._task = task
        self._lane = lane
        self._mark = 0.0  # when the last epoch ended

    def make(self) -> None:
        """Carry the run out; its result or failure goes into its folder. Raises errors that end the sweep."""
        task, note = self._task, self._sweep.folder.note
        try:
            task.folder.path.mkdir(parents=True, exist_ok=True)
            with task.folder.lock():
                result = self._result()
        except RunError as error:
            self._failed(str(error), task.folder.result())
            self._lane.clear(error)  # even if it lives: threads of the failed run may run on in it
        except OutOfTimeError as error:
            note(f"{task.name} stopped between epochs: time is up")
            self._lane.clear(error)
        except InUseError as error:
            if not self._sweep.postpone(task):
                self._failed(str(error))
        except UserError as error:  # the run's folder has files that no run writes
            self._failed(str(error))
        else:
            note(f"{task.name} {result.status}")
            self._sweep.ended(task, result)

    def _result(self) -> Result:
        """The run's result; its folder is locked."""
        task, execution = self._task, self._sweep.execution
        dataset = self._sweep.datasets[task.training.data]
        if not task.folder.exists():
            RunFolder.create(task.folder.path, task.training, execution, dataset)
        there = task.folder.result()
        if there is not None and task.is_done(there):
            if not task.folder.keeps(there):
                task.folder.restore_metrics(there, task.training.architecture)
            return there  # or another sweep on the same runs was faster
        job = Job(
            task.training,
            execution,
            dataset,
            task.folder,
            until=task.until,
            on_epoch=self._epoch,
            new_progress=self._progress,
        )
        try:
            session = self._lane.session(task)
        except RunError as error:
            job.fail(error)
            raise
        self._sweep.folder.note(f"{task.name} begun")
        self._mark = time.monotonic()
        with session.logging_to(task.folder.log):
            return job.carry_out(session)

    def _failed(self, reason: str, result: Result | None = None) -> None:
        self._sweep.folder.note(f"{self._task.name} failed: {reason}")
        self._sweep.say(f"{self._sweep.title(self._task)}  failed: {reason}")
        self._sweep.ended(self._task, result)

    def _progress(self, updates_total: int, updates_done: int) -> Progress:
        return Progress(
            self._sweep.title(self._task),
            self._task.training.epochs,
            updates_total,
            updates_done,
            left=self._sweep.remaining.__str__,
        )

    def _epoch(self, row: EpochRow) -> None:
        now = time.monotonic()
        self._sweep.remaining.epoch_done(self._task, now - self._mark)
        self._mark = now
        if row.epoch < self._task.goal and not self._sweep.has_time(self._task):
            raise OutOfTimeError
