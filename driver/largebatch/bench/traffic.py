"""Bytes between the workers and the parameter server, as the kernel counts them. Linux only."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from largebatch.errors import RunError, UserError

POLL_S = 0.2  # a connection lives for an epoch
PATIENCE_S = 30.0  # for the kernel's report on a connection that has ended, which is late on a busy machine

Ends = tuple[str, str]  # the server's address and the worker's


@dataclass(frozen=True)
class Bytes:
    """Bytes from and to a worker."""

    pushed: int
    pulled: int


class Traffic:
    """Counts the bytes that all workers of a session exchange with its server while the block runs.

    Polls `ss` for open connections; takes byte counts from the kernel's report when a connection closes.
    Only connections of the session's `process_group` count, to ports that it opens while the block runs:
    Spark's own ports are open before, and their connections do not end. In Spark's local mode, workers and
    server are one process that is connected to itself. Raises UserError without the programs `ss` and
    `stdbuf`.
    At its end the block raises RunError if the kernel's report on a connection was lost.
    """

    def __init__(self, process_group: int) -> None:
        for program, package in (("ss", "iproute2"), ("stdbuf", "coreutils")):
            if shutil.which(program) is None:
                raise UserError(f"bytes are counted with the program {program}: install {package}")
        self._list = ["ss", "-tainpHO"]
        self._follow = ["stdbuf", "-oL", "ss", "-tinHOE"]
        self._process_group = process_group
        self._seen: dict[Ends, Bytes] = {}
        self._ended: dict[Ends, Bytes] = {}
        self._done = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._listener = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Self:
        self._other_ports = listening(self._listing())
        self._reports = subprocess.Popen(
            self._follow, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._listener.start()
        self._watcher.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._done.set()
        self._watcher.join()
        deadline = time.monotonic() + PATIENCE_S
        while (missing := self._missing()) and time.monotonic() < deadline:
            time.sleep(0.05)
        with self._reports:
            self._reports.terminate()
            self._listener.join()
        if missing and kind is None:
            raise RunError(
                f"the kernel's report on {missing} connections between workers and server was lost, "
                "as happens on a busy machine: run it again"
            )

    @property
    def total(self) -> Bytes:
        """Sum over all connections so far; an open one counts as of the last poll."""
        found = [self._report(ends) or seen for ends, seen in self._seen.items()]
        return Bytes(sum(one.pushed for one in found), sum(one.pulled for one in found))

    def _watch(self) -> None:
        while not self._done.wait(POLL_S):
            # a new dictionary: `total` may be iterating over the old one
            self._seen = self._seen | self._connections()

    def _listen(self) -> None:
        for ends, _, line in _sockets(self._reports.stdout or ()):
            self._ended[ends] = _bytes(line)

    def _report(self, ends: Ends) -> Bytes | None:
        """The kernel's report on an ended connection: on the server's socket, else on the worker's."""
        worker = self._ended.get(ends[::-1])
        return self._ended.get(ends) or (worker and Bytes(pushed=worker.pulled, pulled=worker.pushed))

    def _missing(self) -> int:
        return sum(self._report(ends) is None for ends in self._seen)

    def _connections(self) -> dict[Ends, Bytes]:
        found = connections(self._listing(), lambda process_id: _group(process_id) == self._process_group)
        return {ends: count for ends, count in found.items() if _port(ends[0]) not in self._other_ports}

    def _listing(self) -> str:
        return subprocess.run(self._list, capture_output=True, text=True, check=False).stdout


def connections(listing: str, counts: Callable[[int], bool]) -> dict[Ends, Bytes]:
    """Connections with itself of each process that counts, from `ss -tainpHO`.

    The server's end is the listening one.
    """
    sockets = {}
    servers = listening(listing)
    for ends, state, line in _sockets(listing.splitlines()):
        process = re.search(r"pid=(\d+)", line)
        if state != "LISTEN" and process:
            sockets[ends] = (process[1], line)
    return {
        ends: _bytes(line)
        for ends, (process_id, line) in sockets.items()
        if _port(ends[0]) in servers
        and sockets.get(ends[::-1], ("", ""))[0] == process_id
        and counts(int(process_id))
    }


def listening(listing: str) -> set[str]:
    """Ports that some process listens at, from `ss -tainpHO`."""
    return {_port(ends[0]) for ends, state, _ in _sockets(listing.splitlines()) if state == "LISTEN"}


def _group(process_id: int) -> int | None:
    """A process' group; None if the process has ended."""
    try:
        return os.getpgid(process_id)
    except ProcessLookupError:
        return None


def _sockets(lines: Iterable[str]) -> Iterator[tuple[Ends, str, str]]:
    """Both ends (the local one first), the state, and the whole line of each socket."""
    for line in lines:
        state, _, _, local, peer, *_ = [*line.split(maxsplit=5), "", "", "", "", ""]
        yield (_address(local), _address(peer)), state, line


def _bytes(line: str) -> Bytes:
    """Byte counts of a socket of the server."""
    return Bytes(pushed=_count("received", line), pulled=_count("sent", line))


def _address(text: str) -> str:
    """An address without IPv6's form of IPv4, which Java uses: [::ffff:10.0.0.1]:4040 is 10.0.0.1:4040."""
    return re.sub(r"\[::ffff:([\d.]+)\]", r"\1", text)


def _port(address: str) -> str:
    return address.rpartition(":")[2]


def _count(what: str, line: str) -> int:
    found = re.search(rf"\bbytes_{what}:(\d+)", line)
    return int(found[1]) if found else 0
