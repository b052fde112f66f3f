"""How far runs lie apart whose settings are equal but for the seed, or but for the repetition. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from largebatch.report.protocols.runs import Ended, Place, places


@dataclass(frozen=True)
class Spread:
    """Runs of a place: how far apart their errors are.

    `between_seeds` compares the seeds by the means over their repetitions, `between_repetitions` is the
    widest range of one seed. Each is None without two runs to compare.
    """

    place: Place
    seeds: int
    between_seeds: float | None
    repetitions: int
    between_repetitions: float | None


def spreads(runs: Sequence[Ended]) -> list[Spread]:
    """The spreads of the runs that depend on timing, where there are several."""
    found = []
    timed = [run for run in runs if not run.reproducible]
    for place in places(timed):
        here = [run for run in timed if run.place == place]
        if len(here) > 1:
            found.append(_spread(place, here))
    return found


def _spread(place: Place, runs: Sequence[Ended]) -> Spread:
    of_seed: dict[int, list[float]] = {}
    for run in runs:
        of_seed.setdefault(run.seed, []).append(run.error)
    ranges = [range_ for errors in of_seed.values() if (range_ := _range(errors)) is not None]
    return Spread(
        place,
        len(of_seed),
        _range([fmean(errors) for errors in of_seed.values()]),
        max(map(len, of_seed.values())),
        max(ranges, default=None),
    )


def _range(errors: Sequence[float]) -> float | None:
    return max(errors) - min(errors) if len(errors) > 1 else None
