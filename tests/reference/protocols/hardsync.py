"""Hardsync, Gupta, Zhang, Wang 2016: what arrives is the sum over all workers, and is an update."""

from __future__ import annotations

from collections.abc import Sequence

from tests.reference.protocols import Update

OWN: dict[str, float] = {}


def updates(pushes: Sequence[Update], settings: dict[str, float]) -> list[Update | None]:
    """Every push is an update of its own."""
    return list(pushes)
