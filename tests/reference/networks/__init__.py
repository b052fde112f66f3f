"""Twins of the networks, a file each, of the name that the program knows them by."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from largebatch.settings.networks import NETWORKS
from tests.reference import Floats, Image


def twin(name: str) -> ModuleType:
    """The twin of a network: `shapes`, `forward` (that of the package) and `gradient`."""
    return import_module(f"{__name__}.{name}")


def start_moments(name: str, image: Image, classes: int) -> list[Floats]:
    """Running means and variances of a network's units at the start; none without batch normalisation."""
    moments = getattr(twin(name), "moments", None)
    return moments(image, classes) if moments else []


TWINS = {name: twin(name) for name in NETWORKS}
