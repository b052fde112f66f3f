"""n-softsync, Gupta, Zhang, Wang 2016, section 3.1: an update takes c = floor(workers / n) gradients."""

from __future__ import annotations

from collections.abc import Mapping

OWN = {"softsync_n": 2}


def pushes_per_update(workers: int, settings: Mapping[str, int]) -> int:
    """c, of any workers."""
    return workers // settings["softsync_n"]


def takes(staleness: int) -> bool:
    """Every gradient counts."""
    return True
