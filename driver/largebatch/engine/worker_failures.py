"""Failed workers of paramserv, found in the JVM's log of thrown exceptions.

In LOCAL mode an error in a worker ends only its thread. So does an error in the server's function, which runs
in the thread of the last worker. SystemDS prints nothing, and all other threads wait for ever.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

LOG = Path("exceptions.log")  # in the JVM's working directory, the session's folder
JVM_FLAG = f"-Xlog:exceptions=info:file={LOG}::filecount=1,filesize=8m"
POLL_S = 0.5
GRACE_S = 3.0  # for a program to end by itself, with its own cause

_EVENT = re.compile(
    r"Exception <a '(?P<kind>[\w/$]+)'\{0x[0-9a-f]+\}(?:: (?P<message>[^\0]*?))?>\n"
    r" thrown in [^\n]* in '(?P<where>[\w/$]+)'>\n"
    r" at [^\n]*for thread (?P<thread>0x[0-9a-f]+)"
)
_CONTROL = "org/apache/sysds/runtime/controlprogram/"  # where instructions are executed
_FAILED = re.compile(r"Local worker_\d+ failed")
_WRAPPING = re.compile(
    "Local worker_|Aggregation or validation service failed|ERROR: Runtime error in|error executing function"
    "|Unable to recompile program block"
)


class Exceptions:
    """Parses the log of exceptions, piece by piece."""

    def __init__(self) -> None:
        self._rest = ""
        self._causes: dict[str, str] = {}  # by thread: its last exception that does not wrap another

    def read(self, piece: str) -> str | None:
        """The cause, in one line, if a local worker failed in this piece of the log; else None."""
        text, end, found = self._rest + piece, 0, None
        for event in _EVENT.finditer(text):
            end = event.end()
            message = " ".join((event["message"] or "").split())
            if not event["where"].startswith(_CONTROL):
                continue
            if _FAILED.match(message):
                found = found or self._causes.get(event["thread"], message)
            elif not _WRAPPING.match(message):
                kind = event["kind"].rpartition("/")[2]
                self._causes[event["thread"]] = f"{kind}: {message}" if message else kind
        self._rest = text[end:]
        return found


class _Tail:
    """The lines that the JVM adds to its log from now on; it starts another log when one is full."""

    def __init__(self) -> None:
        self._inode, self._read = 0, 0
        self.read()

    def read(self) -> str:
        """The lines added since the last call."""
        try:
            with LOG.open("rb") as log:
                inode = os.fstat(log.fileno()).st_ino
                log.seek(self._read if inode == self._inode else 0)
                added = log.read()
                self._inode, self._read = inode, log.tell()
        except OSError:  # between two logs
            return ""
        return added.decode(errors="replace")


@contextmanager
def watched(tell: Callable[[str], None]) -> Iterator[None]:
    """Call `tell` once with the cause if a local worker fails and the body doesn't end by itself."""
    over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(_Tail(), over, tell), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _watch(log: _Tail, over: threading.Event, tell: Callable[[str], None]) -> None:
    exceptions = Exceptions()
    while not over.wait(POLL_S):
        cause = exceptions.read(log.read())
        if cause is not None:
            if not over.wait(GRACE_S):
                tell(cause)
            return
