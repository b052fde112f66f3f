"""What travels between the workers and the parameter server: bytes as the kernel counts them. Linux alone."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from largebatch.errors import UserError

POLL_S = 0.2  # a connection lives for an epoch; what it carries after the last look is not seen

Ends = tuple[str, str]  # the server's address and the worker's


@dataclass(frozen=True)
class Bytes:
    """Both seen from the worker."""

    pushed: int
    pulled: int


class Traffic:
    """Counts what all workers of a session exchange with its server while the block runs.

    Connections that are there before, such as another session's, do not count.
    In local mode of Spark, workers and server are one process that speaks with itself. Raises UserError
    without the program `ss`.
    """

    def __init__(self) -> None:
        program = shutil.which("ss")
        if program is None:
            raise UserError("bytes are counted with the program ss: install the package iproute2")
        self._list = [program, "-tainpHO"]
        self._others: set[Ends] = set()
        self._seen: dict[Ends, Bytes] = {}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._others = set(self._connections())
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._done.set()
        self._thread.join()

    @property
    def total(self) -> Bytes:
        """Of all connections so far."""
        return Bytes(
            sum(one.pushed for one in self._seen.values()), sum(one.pulled for one in self._seen.values())
        )

    def _watch(self) -> None:
        while not self._done.wait(POLL_S):
            found = self._connections()
            self._seen |= {ends: found[ends] for ends in found.keys() - self._others}

    def _connections(self) -> dict[Ends, Bytes]:
        listing = subprocess.run(self._list, capture_output=True, text=True, check=False)
        return connections(listing.stdout)


def connections(listing: str) -> dict[Ends, Bytes]:
    """Connections of a process with itself, from `ss -tainpHO`; the server's end is that which listens."""
    sockets = {}
    listening = set()
    for line in listing.splitlines():
        state, _, _, local, peer, *_ = [*line.split(maxsplit=5), "", "", "", "", ""]
        process = re.search(r"pid=(\d+)", line)
        if state == "LISTEN":
            listening.add(_port(local))
        elif process:
            sockets[_address(local), _address(peer)] = (process[1], line)
    return {
        ends: Bytes(pushed=_count("received", line), pulled=_count("sent", line))
        for ends, (process_id, line) in sockets.items()
        if _port(ends[0]) in listening and sockets.get(ends[::-1], ("", ""))[0] == process_id
    }


def _address(text: str) -> str:
    """Java's sockets are those of IPv6, whatever they carry: [::ffff:10.0.0.1]:4040 is 10.0.0.1:4040."""
    return re.sub(r"\[::ffff:([\d.]+)\]", r"\1", text)


def _port(address: str) -> str:
    return address.rpartition(":")[2]


def _count(what: str, line: str) -> int:
    found = re.search(rf"\bbytes_{what}:(\d+)", line)
    return int(found[1]) if found else 0
