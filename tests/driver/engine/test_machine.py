"""The memory that the system reports."""

from __future__ import annotations

from pathlib import Path

import pytest

from largebatch.engine import machine
from largebatch.engine.machine import available_memory, cgroup_limit

needs_proc = pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="no /proc")


@needs_proc
def test_available_memory_is_the_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "cgroup_limit", lambda name: "")
    available = available_memory()
    assert available is not None
    assert 2**26 < available < 2**50, "bytes, not kB"


@needs_proc
@pytest.mark.parametrize("file", ["memory.max", "memory/memory.limit_in_bytes"])
def test_a_containers_limit_counts_if_it_is_less(monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    limits = {file: "1000"}
    monkeypatch.setattr(machine, "cgroup_limit", lambda name: limits.get(name, ""))
    assert available_memory() == 1000
    limits[file] = str(2**60)
    assert available_memory() != 2**60


def test_a_limit_that_is_not_there_is_empty() -> None:
    assert cgroup_limit("no such limit") == ""
