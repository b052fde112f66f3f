"""The one process boundary: starts the process that holds the JVM, talks to it, watches it, ends it."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from largebatch.engine.causes import DIED, NOT_STARTED, OUT_OF_MEMORY, cause_in, of_action, with_cause
from largebatch.engine.log import Log
from largebatch.engine.stop import Stop, StoppedError
from largebatch.errors import RunError
from largebatch.patience import Patience

OnLine = Callable[[str], None]
MARK = "largebatch "  # begins the lines for this program; all other lines go to the log
GRACE_S = 5.0  # between asking the process to end and killing it
STARTING = ("launch", "start")  # actions that can fail for what a user has set
KEPT_LINES = 500  # of the output, to look for causes in


def ignore(line: str) -> None:
    """The OnLine of a caller that wants no lines."""


def how_it_ended(process: subprocess.Popen[bytes]) -> str:
    """The signal or the exit status of a process that is about to end; "" if it goes on."""
    try:
        status = process.wait(timeout=GRACE_S)
    except subprocess.TimeoutExpired:
        return ""
    return f" (signal {-status})" if status < 0 else f" (exit status {status})"


class SessionProcess:
    """A process of engine.child in a group of its own, with `scratch` as its working directory.

    `more_memory` says how to give the JVM more. A set `stop` makes requests raise StoppedError.
    """

    def __init__(
        self,
        scratch: Path,
        environment: Mapping[str, str],
        log: Log,
        more_memory: str,
        stop: Stop | None = None,
    ) -> None:
        self._log = log
        self._stop = stop
        self._more_memory = more_memory
        self._output: deque[str] = deque(maxlen=KEPT_LINES)
        self._out_of_memory: list[str] = []  # the lines that tell it
        self._stalled: str | None = None
        self._buffer = b""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "largebatch.engine.child", str(scratch)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=scratch,
            env=dict(environment),
            start_new_session=True,  # one group to end; and Ctrl-C reaches only this process
        )

    @property
    def group(self) -> int:
        """The group of the process and of all that it has started."""
        return self._process.pid

    def request(self, do: str, patience: float, on_line: OnLine = ignore, **arguments: Any) -> None:
        """Have the process carry out an action of engine.systemds; on_line gets the lines it reports.

        Raises RunError with the cause if the action fails, if the process dies, and after `patience` seconds
        without a line: then the group is killed, and all later requests raise the same.
        """
        if self._stalled is not None:
            raise RunError(self._stalled)
        self._output.clear()
        self._send({"do": do, "with": arguments})
        for line in self._lines(patience):
            if line == "done":
                return
            if line.startswith("failed"):
                cause = self._cause(line.removeprefix("failed").strip(), starting=do in STARTING)
                raise RunError(f"{cause}; see {self._log.path}")
            on_line(line)

    def _send(self, message: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        with contextlib.suppress(BrokenPipeError):  # it has died; why is told where its output ends
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()

    def _lines(self, patience: float) -> Iterator[str]:
        """Lines for this program, as they arrive; all others go to the log."""
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        left = Patience(patience)
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if self._stop is not None:
                selector.register(self._stop, selectors.EVENT_READ)
            while True:
                piece = left.piece()
                if not selector.select(timeout=piece):
                    if not piece:
                        slow = "if it was only slow, raise --stall-timeout"
                        stalled = f"stalled: no sign of life for {patience:g} s; {slow}"
                        self._stalled = f"{stalled}; see {self._log.path}"
                        self._kill()
                        raise RunError(self._stalled)
                    continue
                if self._stop is not None and self._stop.is_set():
                    raise StoppedError
                chunk = os.read(self._process.stdout.fileno(), 65536)
                if not chunk:
                    raise RunError(f"{self._death()}; see {self._log.path}")
                for line in self._split(chunk):
                    left.renew()
                    yield line

    def _split(self, chunk: bytes) -> Iterator[str]:
        *lines, self._buffer = (self._buffer + chunk).split(b"\n")
        for raw in lines:
            line = raw.decode(errors="replace")
            if line.startswith(MARK):
                yield line.removeprefix(MARK)
            else:
                self._log.write(raw + b"\n")
                self._output.append(line)
                if OUT_OF_MEMORY in line:
                    self._out_of_memory.append(line)
        self._log.flush()

    def _cause(self, answer: str, *, starting: bool) -> str:
        """The answer, or what the output says about it. Lack of memory has other failures as consequences."""
        telling = self._out_of_memory or ([answer] if starting else [])
        told = cause_in(telling, self._more_memory)
        if told:
            return told
        if not answer.startswith((NOT_STARTED, DIED)):
            return of_action(answer, self._more_memory)
        return with_cause(answer, self._output, self._more_memory)

    def _death(self) -> str:
        what = f"the session's process died{how_it_ended(self._process)}"
        return with_cause(what, self._output, self._more_memory)

    def end(self, *, gently: bool) -> None:
        """End the group; if `gently`, let the process end its Spark application first."""
        if gently:
            self._ask_to_stop()
        self._kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                if pipe is not None:
                    pipe.close()

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):  # the group exists as long as any of its processes
            os.killpg(self._process.pid, signal.SIGKILL)

    def _ask_to_stop(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None  # noqa: S101
        try:
            self._process.stdin.write(b'{"do": "stop"}\n')
            self._process.stdin.flush()
        except BrokenPipeError:
            return
        until = time.monotonic() + GRACE_S
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while (left := until - time.monotonic()) > 0:
                if selector.select(timeout=left) and not os.read(self._process.stdout.fileno(), 65536):
                    return
