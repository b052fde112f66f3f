"""Who holds the rows of the data, and the settings of each placement. The DML is in dml/placements/."""

from __future__ import annotations

from dataclasses import dataclass

from largebatch.settings.ranges import Choice, Whole
from largebatch.settings.values import NotPassed, Settings, setting


@dataclass(frozen=True)
class Placement:
    """A placement, and its own of the settings below."""

    settings: tuple[str, ...] = ()


PLACEMENTS = {
    "driver": Placement(),
    "executors": Placement(("reshuffle_every",)),
    "auto": Placement(("reshuffle_every",)),
}


@dataclass(frozen=True)
class PlacementSettings(Settings):
    """The choice of a placement, and its settings."""

    data_placement: str = setting(
        "driver",
        "who holds the rows: the driver, which permutes all of them for every epoch, or the executors: each "
        "worker then has a share, from which it draws its batches; auto: executors if --memory is too little",
        Choice(PLACEMENTS),
    )
    reshuffle_every: int = setting(
        0,
        "epochs after which rows move between workers; 0: never",
        Whole(low=0),
        of="data_placement",
        dml=NotPassed("it gets the shares of the rows as they then are"),
    )
