"""Hardsync, Gupta, Zhang, Wang 2016: what arrives is the sum over all workers, and is an update."""

from __future__ import annotations

from collections.abc import Mapping

OWN: dict[str, int] = {}


def pushes_per_update(workers: int, settings: Mapping[str, int]) -> int:
    """All workers push at once."""
    return 1


def takes(staleness: int) -> bool:
    """No gradient is stale."""
    return True
