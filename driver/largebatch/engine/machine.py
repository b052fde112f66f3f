"""Memory of this machine."""

from __future__ import annotations

import re
from pathlib import Path


def available_memory() -> int | None:
    """Bytes that the system reports as available, at most a container's limit; None off Linux."""
    try:
        text = Path("/proc/meminfo").read_text()
    except OSError:  # macOS
        return None
    line = re.search(r"^MemAvailable:\s+(\d+) kB", text, re.MULTILINE)
    limits = (cgroup_limit("memory.max"), cgroup_limit("memory/memory.limit_in_bytes"))  # cgroup 2 and 1
    amounts = [int(limit) for limit in limits if limit.isdigit()]
    return min([*amounts, int(line[1]) * 1024] if line else amounts, default=None)


def cgroup_limit(name: str) -> str:
    """A limit of the container that this process runs in; "" without one."""
    try:
        return (Path("/sys/fs/cgroup") / name).read_text().strip()
    except OSError:
        return ""


def peak_resident(process_group: int) -> int | None:
    """Bytes: the sum of the peaks of resident memory of a group's living processes; None off Linux."""
    peaks = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            group = int((folder / "stat").read_text().rpartition(")")[2].split()[2])
            status = (folder / "status").read_text() if group == process_group else ""
        except (OSError, ValueError, IndexError):  # it has just ended
            continue
        line = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
        if line:
            peaks.append(int(line[1]) * 1024)
    return sum(peaks) if peaks else None
