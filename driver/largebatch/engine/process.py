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
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from largebatch.engine.log import Log
from largebatch.engine.stop import Stop, StoppedError
from largebatch.errors import RunError

OnLine = Callable[[str], None]
MARK = "largebatch "  # begins the lines for this program; all other lines go to the log
GRACE_S = 5.0  # between asking the process to end and killing it


def ignore(line: str) -> None:
    """The OnLine of a caller that wants no lines."""


class SessionProcess:
    """A process of engine.child in a group of its own, with `scratch` as its working directory.

    `out_of_memory` is the message for a JVM that ran out of memory. A set `stop` makes requests raise
    StoppedError.
    """

    def __init__(
        self,
        scratch: Path,
        environment: Mapping[str, str],
        log: Log,
        out_of_memory: str,
        stop: Stop | None = None,
    ) -> None:
        self._log = log
        self._stop = stop
        self._out_of_memory = out_of_memory
        self._is_out_of_memory = False
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
        without a line.
        """
        self._send({"do": do, "with": arguments})
        for line in self._lines(patience):
            if line == "done":
                return
            if line.startswith("failed"):
                raise RunError(f"{self._cause(line.removeprefix('failed').strip())}; see {self._log.path}")
            on_line(line)

    def _send(self, message: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise RunError(f"the session's process has ended; see {self._log.path}") from None

    def _lines(self, patience: float) -> Iterator[str]:
        """Lines for this program, as they arrive; all others go to the log."""
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        last_sign = time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if self._stop is not None:
                selector.register(self._stop, selectors.EVENT_READ)
            while True:
                waited = time.monotonic() - last_sign
                if waited > patience:
                    raise RunError(f"stalled: no sign of life for {patience:g} s; see {self._log.path}")
                if not selector.select(timeout=patience - waited):
                    continue
                if self._stop is not None and self._stop.is_set():
                    raise StoppedError
                chunk = os.read(self._process.stdout.fileno(), 65536)
                if not chunk:
                    raise RunError(f"the session's process died{self._exit_reason()}; see {self._log.path}")
                for line in self._split(chunk):
                    last_sign = time.monotonic()
                    yield line

    def _split(self, chunk: bytes) -> Iterator[str]:
        *lines, self._buffer = (self._buffer + chunk).split(b"\n")
        for raw in lines:
            line = raw.decode(errors="replace")
            if line.startswith(MARK):
                yield line.removeprefix(MARK)
            else:
                self._log.write(raw + b"\n")
                self._is_out_of_memory |= b"java.lang.OutOfMemoryError" in raw
        self._log.flush()

    def _cause(self, answer: str) -> str:
        return self._out_of_memory if self._is_out_of_memory else answer

    def _exit_reason(self) -> str:
        try:
            status = self._process.wait(timeout=GRACE_S)
        except subprocess.TimeoutExpired:
            return ""
        return f" (signal {-status})" if status < 0 else f" (exit status {status})"

    def end(self, *, gently: bool) -> None:
        """End the group; if `gently`, let the process end its Spark application first."""
        if gently:
            self._ask_to_stop()
        with contextlib.suppress(ProcessLookupError):  # the group exists as long as any of its processes
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                if pipe is not None:
                    pipe.close()

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
