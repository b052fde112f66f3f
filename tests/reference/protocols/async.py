"""Asynchronous updates, Gupta, Zhang, Wang 2016: each gradient is an update."""

# ruff: noqa: N999 - called as the protocol is; twins are imported by name

from __future__ import annotations

from collections.abc import Mapping

OWN: dict[str, int] = {}


def pushes_per_update(workers: int, settings: Mapping[str, int]) -> int:
    """One."""
    return 1


def takes(staleness: int) -> bool:
    """Every gradient counts."""
    return True
