"""Readings of what the paper leaves open, and how many of its claims each reproduces. Pure.

The paper does not say how many epochs it trains, nor how weights start. A reading is a pair of lines, whose
settings state the rest, stopped after a number of epochs.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from largebatch.records.reading import StudyRecord
from largebatch.report import summary, tables
from largebatch.report.claims import NOT_MEASURED, PARTLY, REPRODUCED


@dataclass(frozen=True)
class Reading:
    """A pair of lines after a number of epochs, with the verdict on each claim in order."""

    sgd: str
    lars: str
    epochs: int
    verdicts: tuple[str, ...]

    @property
    def measured(self) -> bool:
        """Whether a claim is settled."""
        return set(self.verdicts) != {NOT_MEASURED}

    @property
    def reproduced(self) -> int:
        """The number of claims that are reproduced."""
        return self.verdicts.count(REPRODUCED)


def readings(study: StudyRecord, *, per_worker: bool = False) -> list[Reading]:
    """All readings that the study's runs allow: every pair of lines, after every number of epochs.

    There are none if no run is of the paper's kind, if nothing is measured, or if a learning rate depends on
    the number of epochs, so that half a run is no short run.
    """
    if study.schedules_need_the_end or not any(map(summary.is_of_papers_kind, study.runs)):
        return []
    last = max((len(run.metrics) for run in study.runs), default=0)
    found = [
        Reading(pair.sgd, pair.lars, epochs, tuple(claim.verdict for claim in pair.claims))
        for epochs in range(1, last + 1)
        for pair in _after(study, epochs, per_worker)
    ]
    return found if any(reading.measured for reading in found) else []


def _after(study: StudyRecord, epochs: int, per_worker: bool) -> list[summary.Comparison]:
    cut = study.after(epochs)
    return summary.compare_with_paper(cut, tables.results(cut), per_worker=per_worker, seeds=False)


def best(found: Sequence[Reading]) -> Reading | None:
    """The reading that reproduces most claims, then most in part, then in the fewest epochs."""
    return max(
        (reading for reading in found if reading.measured),
        key=lambda reading: (reading.reproduced, reading.verdicts.count(PARTLY), -reading.epochs),
        default=None,
    )


def sentence(found: Sequence[Reading]) -> list[str]:
    """The best reading in words; nothing if there is no choice, or it reproduces nothing."""
    reading = best(found)
    if reading is None or not reading.reproduced or len(found) < 2:
        return []
    return [
        f"Of {len(found)} readings of what the paper leaves open, the best reproduces {reading.reproduced} "
        f"of {len(reading.verdicts)} claims: {reading.lars} against {reading.sgd}, epoch {reading.epochs}."
    ]


def table(found: Sequence[Reading]) -> pd.DataFrame:
    """A row per reading, with a column per claim."""
    rows = [
        {
            "sgd": reading.sgd,
            "lars": reading.lars,
            "epochs": reading.epochs,
            "reproduced": reading.reproduced,
            **{f"claim_{number}": verdict for number, verdict in enumerate(reading.verdicts, 1)},
        }
        for reading in found
    ]
    return pd.DataFrame(rows)


def shown(found: Sequence[Reading]) -> list[list[str]]:
    """The table for people, headings first: consecutive numbers of epochs with equal verdicts in one row."""
    if len(found) < 2:
        return []
    claims = (f"claim {number}" for number in range(1, len(found[0].verdicts) + 1))
    ordered = sorted(found, key=lambda reading: (reading.sgd, reading.lars, reading.epochs))
    groups = itertools.groupby(ordered, key=lambda reading: (reading.sgd, reading.lars, reading.verdicts))
    return [["lines", "epochs", *claims, "reproduced"], *(_row(list(group)) for _, group in groups)]


def _row(group: Sequence[Reading]) -> list[str]:
    first, last = group[0], group[-1]
    epochs = str(first.epochs) if len(group) == 1 else f"{first.epochs} to {last.epochs}"
    return [f"{first.lars} against {first.sgd}", epochs, *first.verdicts, str(first.reproduced)]
