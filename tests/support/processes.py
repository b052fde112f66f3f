"""Processes of this machine, from /proc: who runs, who belongs to whom, and waiting until they are gone."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.support.patience import TIMEOUT_S


@dataclass(frozen=True)
class Process:
    pid: int
    name: str
    parent: int
    group: int


def processes() -> list[Process]:
    """All that run; those that have ended and were not collected are left out."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = file.read_text()
        except OSError:  # it has just ended
            continue
        name = text[text.index("(") + 1 : text.rindex(")")]
        state, parent, group = text[text.rindex(")") + 1 :].split()[:3]
        if state not in "ZX":
            found.append(Process(int(file.parent.name), name, int(parent), int(group)))
    return found


def children(pid: int) -> set[int]:
    return {process.pid for process in processes() if process.parent == pid}


def members(group: int) -> list[str]:
    return [process.name for process in processes() if process.group == group]


def java_of(group: int) -> int:
    (java,) = (process.pid for process in processes() if process.group == group and process.name == "java")
    return java


def descends(pid: int, ancestor: int) -> bool:
    """Whether a process descends from another."""
    parents = {process.pid: process.parent for process in processes()}
    while pid in parents and pid != ancestor:
        pid = parents[pid]
    return pid == ancestor


def session_processes(needle: str) -> list[int]:
    """Processes, JVMs among them, with `needle` in their command line or working directory."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdecimal() and int(process.name) != os.getpid():
            try:
                text = (process / "cmdline").read_text() + str((process / "cwd").readlink())
            except OSError:
                continue
            if needle in text:
                found.append(int(process.name))
    return found


def send_to_all(pids: Iterable[int], number: signal.Signals) -> None:
    """A signal to session processes, of which short ones, as Hadoop's chmod, may have ended by now."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def wait_until(holds: Callable[[], bool], seconds: float = TIMEOUT_S) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it never came to that"
        time.sleep(0.05)


def wait_until_gone(group: int, seconds: float = TIMEOUT_S) -> None:
    """Processes of the group may take a moment to go."""
    until = time.monotonic() + seconds
    while members(group) and time.monotonic() < until:
        time.sleep(0.05)
    assert members(group) == []
