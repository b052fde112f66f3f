"""A session that stays open, lent to commands called in this process: each would start a JVM of its own."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from types import TracebackType
from typing import Any, Self
from unittest.mock import patch

from largebatch.bench import formulations, timing
from largebatch.engine.host import Host
from largebatch.engine.own import OWN_JVM
from largebatch.engine.session import Session
from largebatch.engine.stop import Stop
from largebatch.runs import job, prepare
from largebatch.settings.execution import Execution
from largebatch.studies import lane
from tests.support.command import call_in

OPENING = (job, lane, prepare, timing, formulations)  # modules that open sessions


@dataclass(frozen=True)
class Lender:
    """A session, and what it was opened with."""

    session: Session
    execution: Execution

    @property
    def options(self) -> tuple[str, ...]:
        """Those with which `train` asks for such a session."""
        return "--mode", self.execution.mode, "--memory", self.execution.memory

    def run(self, folder: Path, *arguments: str | Path, memory: str = "") -> CompletedProcess[str]:
        """A command called in this process, in this working directory, that borrows the session.

        `memory` is what the command asks for if that is more than it needs.
        """
        execution = self.execution.updated({"memory": memory} if memory else {})
        with dataclasses.replace(self, execution=execution).lending():
            return call_in(folder, *arguments)

    @contextmanager
    def lending(self) -> Iterator[None]:
        """Meanwhile whoever opens a session borrows this one."""
        with ExitStack() as stack:
            for module in OPENING:
                stack.enter_context(patch.object(module, "Session", functools.partial(Lent, self)))
            yield


class Lent:
    """The lender's session as a command sees it: one that begins and ends with the command."""

    def __init__(
        self,
        lender: Lender,
        execution: Execution,
        workers: int,
        log: Path,
        stop: Stop | None = None,
        host: Host = OWN_JVM,
    ) -> None:
        assert (of_jvm(execution), host) == (of_jvm(lender.execution), OWN_JVM), "the session is another one"
        assert workers <= lender.session.workers
        self.workers = workers
        self._session = lender.session
        self._log = log
        self._meanwhile = ExitStack()

    def __enter__(self) -> Self:
        self._meanwhile.enter_context(self._session.logging_to(self._log))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._meanwhile.__exit__(kind, error, trace)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


def of_jvm(execution: Execution) -> Execution:
    """The settings on which the JVM depends; the others are as by default."""
    others = ("stall_timeout", "cluster_timeout", "target_accuracy")
    return dataclasses.replace(execution, **{name: getattr(Execution(), name) for name in others})
