"""Checks of the machine: cores, memory, folders, host name."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from pathlib import Path

from largebatch.doctor.finding import Finding
from largebatch.engine.machine import available_memory, cgroup_limit
from largebatch.files.places import folder_of_sessions
from largebatch.settings.execution import Execution

GB = 10**9
MEMORY_WANTED = Execution().memory_bytes
TEMPORARY_WANTED = 2 * GB


def check_cores(workers: int) -> Finding:
    """A core for each worker."""
    cores = _usable_cores()
    found = f"{cores} for {workers} workers"
    if cores < workers:
        return "warning", found, "use fewer workers if time matters; results stay correct"
    return "ok", found, ""


def _usable_cores() -> int:
    """Cores that this process may use; a container's share is rounded up."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    quota, _, period = cgroup_limit("cpu.max").partition(" ")
    return min(cores, -(-int(quota) // int(period))) if quota.isdigit() else cores


def check_memory() -> Finding:
    """Memory for the default heap."""
    available = available_memory()
    if available is None:
        return "warning", "unknown", f"make sure that {MEMORY_WANTED / GB:.0f} GB are free"
    found = f"{available / GB:.1f} GB available"
    if available < MEMORY_WANTED:
        mend = f"--memory has the default {Execution().memory}: lower it, or end other programs"
        return "warning", found, mend
    return "ok", found, ""


def check_writable(folder: Path, mend: str) -> Finding:
    """The folder takes a file, or its parent where it does not exist yet. Nothing is left behind."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            return "ok", str(folder), ""
    except OSError as error:
        return "failed", f"{existing} cannot be written: {error.strerror or error}", mend


def check_temporary_files() -> Finding:
    """The folder for temporary files takes files, has space and allows programs."""
    folder = folder_of_sessions()
    status, found, mend = check_writable(folder, "set TMPDIR to a folder that can be written")
    free = shutil.disk_usage(folder).free
    if status == "ok" and free < TEMPORARY_WANTED:
        wanted = f"{TEMPORARY_WANTED / GB:.0f} GB"
        return "failed", f"{folder} has {free / GB:.1f} GB free", f"free {wanted} or set TMPDIR"
    if status == "ok" and os.statvfs(folder).f_flag & getattr(os, "ST_NOEXEC", 0):
        # SystemDS unpacks its bridge to OpenBLAS there.
        found = f"{folder} is mounted noexec: OpenBLAS can't be loaded, runs take longer"
        return "warning", found, "set TMPDIR to a folder that is not mounted noexec"
    return status, found, mend


def check_host_name() -> Finding:
    """The host's name has an address of this machine: on clusters, executors reach the driver there."""
    name = os.environ.get("SPARK_LOCAL_IP", "") or socket.gethostname()
    mend = "for runs on clusters, set SPARK_LOCAL_IP to an address, or correct the host's name in /etc/hosts"
    try:
        address = socket.gethostbyname(name)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind((address, 0))
    except OSError as error:
        found = f"{name} is no address of this machine: {error.strerror or error}; local runs need none"
        return "warning", found, mend
    return "ok", f"{name} is {address}", ""
