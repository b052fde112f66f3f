"""Protocols of the parameter server: their names and settings. The mathematics is in dml/protocols/."""

from __future__ import annotations

from dataclasses import dataclass

from largebatch.settings.ranges import Choice
from largebatch.settings.values import Settings, setting


@dataclass(frozen=True)
class Protocol:
    """A protocol: its name in reports and its own settings.

    `reproducible` says whether equal runs can be equal to the last bit. `utype` is how SystemDS' parameter
    server lets workers go on: "BSP" after all have pushed, "ASP" at once.
    """

    title: str
    reproducible: bool
    utype: str
    settings: tuple[str, ...] = ()


PROTOCOLS = {"hardsync": Protocol("hardsync", reproducible=True, utype="BSP")}


@dataclass(frozen=True)
class ProtocolSettings(Settings):
    """The choice of a protocol, and the settings of protocols."""

    protocol: str = setting("hardsync", "when the server updates the weights", Choice(PROTOCOLS))
