"""Where one thread of a sweep carries out its runs."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from largebatch.engine.host import Host
from largebatch.engine.session import Session
from largebatch.engine.stop import Stop
from largebatch.records.study_folder import StudyFolder
from largebatch.settings.execution import Execution
from largebatch.studies.tasks import Task


class Lane:
    """Holds one session at a time, for one run after the other; starts it when a run needs it.

    With `workers` one session, with that many slots, serves all runs. A context manager.
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
        self.failed = False  # whether an error ended the last session

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear(error)

    def fits(self, task: Task) -> bool:
        """Whether the present session, if any, suits the task."""
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

    def clear(self, error: BaseException | None = None) -> None:
        """End the session, if any: at once after an error, else in good order."""
        session, self._session = self._session, None
        self.failed = error is not None
        if session is not None:
            session.__exit__(type(error) if error else None, error, None)

    def _slots(self, task: Task) -> int:
        return self._workers or task.training.workers
