"""The runs of a study, in sessions that serve one run after the other and are replaced when one fails."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from largebatch.engine.host import Host
from largebatch.engine.own import OWN_JVM
from largebatch.engine.session import Session
from largebatch.engine.stop import Stop
from largebatch.errors import RunError, UserError
from largebatch.files.lock import InUseError
from largebatch.records.result import EpochRow, Result
from largebatch.records.run_folder import RunFolder
from largebatch.records.study_folder import StudyFolder
from largebatch.runs.job import Job
from largebatch.settings.execution import Execution
from largebatch.studies.tally import Tally
from largebatch.studies.tasks import Datasets, Task
from largebatch.terminal.progress import Progress
from largebatch.terminal.say import Say

SESSION_START_S = 10.0  # added to the time of an epoch for which a session must be started
MAX_FAILED_STARTS = 2  # sessions in a row that don't even start: the next one won't either


class OutOfTimeError(Exception):
    """The next epoch would end after the time limit."""


@dataclass(frozen=True)
class Limits:
    """How a sweep may be carried out: sessions side by side, seconds it may take, a session for each run."""

    jobs: int = 1
    seconds: float | None = None
    isolate: bool = False


@dataclass
class Sweep:
    """Carries out the tasks that have not ended. `titles` are what progress calls them, by name."""

    folder: StudyFolder
    tasks: Sequence[Task]
    titles: Mapping[str, str]
    datasets: Datasets
    execution: Execution
    limits: Limits
    tally: Tally
    say: Say
    host: Host = OWN_JVM
    out_of_time: bool = False

    def __post_init__(self) -> None:
        self.stop = Stop()
        left = [task for task in self.tasks if not task.ended]
        if not self.host.can_restart:  # the first failure ends the job; when it runs again, others come first
            left.sort(key=lambda task: task.result is not None)
        self._queue = deque(left)
        self._postponed: set[str] = set()
        self._lock = threading.Lock()  # of the queue
        self._started = time.monotonic()

    def carry_out(self) -> None:
        """Returns when all was tried or time is up; what came of it is in the folders.

        Raises what ends the sweep itself, such as KeyboardInterrupt or a full disk; all sessions have ended
        by then.
        """
        with contextlib.closing(self.stop), ThreadPoolExecutor(self.limits.jobs) as pool:
            threads = [pool.submit(self._work) for _ in range(self.limits.jobs)]
            try:
                for thread in as_completed(threads):
                    thread.result()
            except BaseException:
                self.stop.set()
                raise

    def _work(self) -> None:
        """One thread."""
        most = max((task.training.workers for task in self.tasks), default=1)
        slots = None if self.host.can_restart else most
        with _Bench(self.execution, self.folder, self.stop, self.host, slots) as bench:
            while (task := self._next(bench)) is not None:
                _Attempt(self, task, bench).make()
                if bench.failed and not self.host.can_restart:
                    self._give_up()
                if self.limits.isolate:
                    bench.clear()

    def _next(self, bench: _Bench) -> Task | None:
        with self._lock:
            if not self._queue or self.stop.is_set() or bench.failed_starts >= MAX_FAILED_STARTS:
                return None
            task = self._queue[0]
            if not self.has_time(task, 0 if bench.fits(task) else SESSION_START_S):
                return None
            return self._queue.popleft()

    def _give_up(self) -> None:
        with self._lock:
            self._queue.clear()

    def has_time(self, task: Task, before: float = 0) -> bool:
        """Whether an epoch of the task that begins in `before` seconds would end in time."""
        end = time.monotonic() - self._started + before + self.tally.epoch_seconds(task.name)
        fits = self.limits.seconds is None or end <= self.limits.seconds
        self.out_of_time |= not fits
        return fits

    def postpone(self, task: Task) -> bool:
        """Put a task to the end of the queue; False if it was there before."""
        with self._lock:
            if task.name in self._postponed:
                return False
            self._postponed.add(task.name)
            self._queue.append(task)
            return True


class _Bench:
    """Where runs of one thread are carried out: a session at a time, begun when it's needed.

    With `workers` there is one session for all runs, with slots for so many.
    """

    def __init__(
        self, execution: Execution, folder: StudyFolder, stop: Stop, host: Host, workers: int | None = None
    ) -> None:
        self._execution = execution
        self._folder = folder
        self._stop = stop
        self._host = host
        self._workers = workers
        self._session: Session | None = None
        self.failed_starts = 0  # in a row
        self.failed = False  # whether the last session was ended for an error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear(error)

    def fits(self, task: Task) -> bool:
        """Whether there is a session, and it is one for the task."""
        return self._session is not None and self._session.workers == self._slots(task)

    def session(self, task: Task) -> Session:
        """A session for the task. Raises RunError if it can't be started."""
        if self._session is not None and not self.fits(task):
            self.clear()
        if self._session is None:
            self._folder.note("session begun")
            slots = self._slots(task)
            session = Session(self._execution, slots, self._folder.log, self._stop, self._host)
            self.failed_starts += 1
            self._session = session.__enter__()
            self.failed_starts = 0
        return self._session

    def _slots(self, task: Task) -> int:
        return self._workers or task.training.workers

    def clear(self, error: BaseException | None = None) -> None:
        """End the session, if there is one: at once after an error."""
        session, self._session = self._session, None
        self.failed = error is not None
        if session is not None:
            session.__exit__(type(error) if error else None, error, None)


class _Attempt:
    """One run, from its last whole checkpoint to whatever end it finds."""

    def __init__(self, sweep: Sweep, task: Task, bench: _Bench) -> None:
        self._sweep = sweep
        self._task = task
        self._bench = bench
        self._mark = 0.0  # when the last epoch ended

    def make(self) -> None:
        """Results and failures go into the run's folder; then the next run's turn has come."""
        task, note = self._task, self._sweep.folder.note
        try:
            task.folder.path.mkdir(parents=True, exist_ok=True)
            with task.folder.lock():
                result = self._result()
            note(f"{task.name} {result.status}")
            self._sweep.tally.drop(task.name)
        except RunError as error:
            self._failed(str(error))
            self._bench.clear(error)  # even if it lives: threads of the failed run may live too
        except OutOfTimeError as error:
            note(f"{task.name} stopped between epochs: time is up")
            self._bench.clear(error)
        except InUseError as error:
            if not self._sweep.postpone(task):
                self._failed(str(error))
        except UserError as error:  # files in the run's folder that are not as a run writes them
            self._failed(str(error))

    def _result(self) -> Result:
        """The run's result; its folder is locked."""
        task, execution = self._task, self._sweep.execution
        dataset = self._sweep.datasets[task.training.data]
        if not task.folder.exists():
            RunFolder.create(task.folder.path, task.training, execution, dataset)
        there = task.folder.result()
        if there is not None and there.status.ended:
            return there  # another sweep on the same runs was faster
        job = Job(
            task.training,
            execution,
            dataset,
            task.folder,
            on_epoch=self._epoch,
            new_progress=self._progress,
        )
        try:
            session = self._bench.session(task)
        except RunError as error:
            job.fail(error)
            raise
        self._sweep.folder.note(f"{task.name} begun")
        self._mark = time.monotonic()
        with session.logging_to(task.folder.log):
            return job.carry_out(session)

    def _failed(self, reason: str) -> None:
        name = self._task.name
        self._sweep.tally.drop(name)
        self._sweep.folder.note(f"{name} failed: {reason}")
        self._sweep.say(f"{self._sweep.titles[name]}  failed: {reason}")

    def _progress(self, updates_total: int, updates_done: int) -> Progress:
        return Progress(
            self._sweep.titles[self._task.name],
            self._task.training.epochs,
            updates_total,
            updates_done,
            left=self._sweep.tally.__str__,
        )

    def _epoch(self, row: EpochRow) -> None:
        now = time.monotonic()
        self._sweep.tally.epoch(self._task.name, now - self._mark)
        self._mark = now
        if row.epoch < self._task.training.epochs and not self._sweep.has_time(self._task):
            raise OutOfTimeError
