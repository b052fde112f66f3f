"""Protocols of the parameter server, a file each: what the server does with what arrives.

sums (3,) rows, loss and correct rows of a push, g gradient (P,) summed over these rows.
"""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple, Protocol

from largebatch.settings.protocols import PROTOCOLS
from tests.reference import Floats


class Update(NamedTuple):
    """What an update is made with: sums (3,) and the summed gradient (P,) of the rows that count."""

    sums: Floats
    g: Floats


class Twin(Protocol):
    """What the file of a protocol has."""

    OWN: dict[str, float]  # settings of its own, at values to try

    def updates(self, pushes: list[Update], settings: dict[str, float]) -> list[Update | None]:
        """The update that each push leads to, None where the server waits for more."""


def twin(name: str) -> Twin:
    """The twin of a protocol."""
    found: Twin = import_module(f"{__name__}.{name}")
    return found


TWINS = {name: twin(name) for name in PROTOCOLS}
