"""Limits of the system (ulimit) that are too low for a JVM with Spark."""

from __future__ import annotations

import resource
from collections.abc import Iterator

FILES = 1024  # Spark has more than 250 jars
BESIDE_THE_HEAP = 3 * 2**30  # bytes of addresses: classes, code, threads, collector, OpenBLAS


def low_limits(heap: int) -> Iterator[str]:
    """A sentence for each limit that a JVM with such a heap, in bytes, may reach."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]  # the JVM raises its soft limit by itself
    if files != resource.RLIM_INFINITY and files < FILES:
        yield f"At most {files} files can be open at once, which is too few for Spark: raise ulimit -n."
    addresses = resource.getrlimit(resource.RLIMIT_AS)[0]
    if addresses != resource.RLIM_INFINITY and addresses < heap + BESIDE_THE_HEAP:
        yield (
            f"A process may have {addresses / 2**30:.1f} GB of addresses, which is too little beside a heap "
            f"of {heap / 2**30:.1f} GB: raise ulimit -v, or lower --memory."
        )
