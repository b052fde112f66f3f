"""Twins of the networks, a file each, of the name that the program knows them by."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from largebatch.settings.networks import NETWORKS


def twin(name: str) -> ModuleType:
    """The twin of a network: `shapes`, `forward` (that of the package) and `gradient`."""
    return import_module(f"{__name__}.{name}")


TWINS = {name: twin(name) for name in NETWORKS}
