"""Spark's master: whether it has enough slots, and whether it answers."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from largebatch.errors import RunError, UserError

STANDALONE_PORT = 7077
CONNECT_S = 10.0  # for a machine to accept a connection
RETRY_S = 0.5
_LOOPBACK = re.compile(r"spark://(127\.[0-9.]+|localhost|\[::1\]):")
# Executors, cores and MB of each.
LOCAL_CLUSTER = re.compile(r"local-cluster\[\s*(\d{1,9})\s*,\s*(\d{1,9})\s*,\s*(\d{1,9})\s*\]")


@dataclass(frozen=True)
class Master:
    """A Spark master, and a remark if it was changed so that all workers can run at once ("" if not)."""

    url: str
    remark: str = ""


def choose_master(master: str | None, workers: int) -> Master:
    """The master to use. It must have a slot per worker: with fewer, hardsync waits for ever.

    The slots of local[n] are raised to the workers. Masters whose slots are unknown here are returned
    unchanged. Raises UserError for a local-cluster with too few slots, and for an unknown kind of master.
    """
    if master is None:
        return Master(f"local[{workers}]")
    if in_process(master):
        return _local(master, workers)
    cluster = LOCAL_CLUSTER.fullmatch(master)
    if cluster:
        slots = int(cluster[1]) * int(cluster[2])
        if slots < workers:
            raise UserError(
                f"--master {master} has {slots} slots for --workers {workers}, which would wait for ever: "
                f"take local-cluster[{workers},1,{cluster[3]}] or fewer workers"
            )
        return Master(master)
    if standalone_addresses(master) or re.match(r"(yarn$|k8s://)", master):
        return Master(master)
    raise _unknown(master)


def _local(master: str, workers: int) -> Master:
    local = re.fullmatch(r"local(?:\[(\d{1,9}|\*)(?:,\d{1,9})?\])?", master)
    if local is None:
        raise _unknown(master)
    slots = (os.cpu_count() or 1) if local[1] == "*" else int(local[1] or 1)
    if slots >= workers:
        return Master(master)
    return Master(
        f"local[{workers}]",
        f"--master {master} has {slots} slots for {workers} workers, which would wait for ever: "
        f"raised to local[{workers}].",
    )


def _unknown(master: str) -> UserError:
    return UserError(
        f"--master {master!r} is not understood; use local[n], local-cluster[n,cores,MB] or spark://host:port"
    )


def in_process(master: str) -> bool:
    """Whether Spark's tasks run in the driver's JVM."""
    return re.fullmatch(r"local(\[.*\])?", master) is not None


def is_here(master: str) -> bool:
    """Whether all of Spark runs on this machine."""
    return master.startswith("local") or _LOOPBACK.match(master) is not None


def standalone_addresses(master: str) -> list[tuple[str, int]]:
    """Host and port of each master of a standalone cluster; empty for other masters.

    Raises UserError for an impossible port.
    """
    if not master.startswith("spark://"):
        return []
    found = [urlsplit(f"spark://{one}") for one in master.removeprefix("spark://").split(",")]
    try:
        return [(one.hostname or "", one.port or STANDALONE_PORT) for one in found]
    except ValueError as error:
        raise UserError(f"--master {master!r} has an impossible port") from error


def reach(master: str, patience: float) -> None:
    """Return when a master of a standalone cluster accepts a connection; at once for other masters.

    A master that starts together with this process, as in containers, gets `patience` seconds to come up.
    Raises RunError afterwards; Spark itself would try for minutes.
    """
    addresses = standalone_addresses(master)
    deadline = time.monotonic() + patience
    while addresses:
        for address in addresses:
            with contextlib.suppress(OSError), socket.create_connection(address, CONNECT_S):
                return
        if time.monotonic() > deadline:
            raise RunError(
                f"nothing answers at {master}: see that Spark's master runs there, and the address"
            )
        time.sleep(RETRY_S)
