"""What stale gradients cost: protocols against hardsync with the same workers and rows per worker. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from largebatch.report.protocols.rule import POINT
from largebatch.report.protocols.runs import Place, Point

HARDSYNC = "hardsync"


@dataclass(frozen=True)
class Behind:
    """A line's losses in test accuracy against hardsync, by place."""

    line: str
    losses: dict[Place, float]

    @property
    def worst(self) -> Place:
        """Where the loss is largest."""
        return max(self.losses, key=self.losses.__getitem__)

    @property
    def close(self) -> int:
        """The number of places where at most a point is lost."""
        return sum(loss <= POINT for loss in self.losses.values())


def behind(points: Sequence[Point]) -> list[Behind]:
    """The lines that can be compared."""
    known = [point for point in points if not math.isnan(point.error)]
    hardsync = {point.place: point.error for point in known if point.place.protocol == HARDSYNC}
    found: dict[str, dict[Place, float]] = {}
    for point in known:
        error = hardsync.get(point.place._replace(protocol=HARDSYNC))
        if error is not None and point.place.protocol != HARDSYNC:
            found.setdefault(point.place.line, {})[point.place] = point.error - error
    return [Behind(line, losses) for line, losses in found.items()]


def sentence(found: Sequence[Behind]) -> list[str]:
    """What each line loses at worst."""
    if not found:
        return []
    parts = (f"{one.line} {one.losses[one.worst] * 100:+z.2f} points at {one.worst.size}" for one in found)
    return [
        "Test error above that of hardsync with the same workers and rows per worker, at worst: "
        f"{'; '.join(parts)}."
    ]
