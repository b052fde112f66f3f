"""Backup workers, Chen et al. 2016: an update takes the first k - B gradients of the current weights."""

from __future__ import annotations

from collections.abc import Mapping

OWN = {"backup_workers": 2}


def pushes_per_update(workers: int, settings: Mapping[str, int]) -> int:
    """Without the backup workers."""
    return workers - settings["backup_workers"]


def takes(staleness: int) -> bool:
    """Only gradients of the current weights."""
    return staleness == 0
