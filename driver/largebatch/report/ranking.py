"""Which line is ahead at which batch size, and how many seeds that rests on."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping

import pandas as pd

from largebatch.records.result import Status
from largebatch.report import tables
from largebatch.report.parts import Part, Table
from largebatch.report.statistics import BY_CHANCE, OF_INTERVAL, BySeed, Rank, ranking
from largebatch.settings.tuning import LEAST_SEEDS

_HEADINGS = (
    "batch size",
    "highest median",
    "median",
    "range",
    "interval",
    "seeds",
    "ahead of",
    "not told apart from",
)


def part(results: pd.DataFrame) -> list[Part]:
    """The section, for results with several lines and seeds; else nothing."""
    found = rankings(results)
    if not found:
        return []
    word = tables.headline(results).replace("_", " ")
    rows = [_HEADINGS, *(_row(size, ranks) for size, ranks in found.items())]
    told = sum(any(rank.ahead_of for rank in ranks) for ranks in found.values())
    text = (
        f"The line with the highest median {word} over its seeds. It is called ahead of another only if it "
        f"is above it with every seed that both have, {LEAST_SEEDS} at least: equal seeds mean equal start "
        f"values and equal batches. {BY_CHANCE} {OF_INTERVAL} A run that diverged counts as the "
        "lowest of all."
    )
    sentence = f"At {told} of {len(found)} batch sizes a line is ahead of another with every seed."
    return [Part("ranking", "Which line at which batch size", [sentence], [Table("Ranking", text, rows)])]


def rankings(results: pd.DataFrame) -> dict[int, list[Rank]]:
    """The ranking at each batch size at which two lines share seeds enough."""
    # The own section of a study that tunes says who is ahead, budget by budget.
    if results.empty or tables.tunes(results) or "seed" not in results:
        return {}
    return dict(_rankings(results))


def _rankings(results: pd.DataFrame) -> Iterator[tuple[int, list[Rank]]]:
    measure = tables.headline(results)
    ended = results[results["status"].isin([Status.FINISHED, Status.DIVERGED])]
    for size, group in ended.groupby("batch_size"):
        by_line = _by_line(group, measure)
        if any(len(set(a) & set(b)) >= LEAST_SEEDS for a, b in itertools.combinations(by_line.values(), 2)):
            yield int(str(size)), ranking(by_line)


def _by_line(group: pd.DataFrame, measure: str) -> Mapping[str, BySeed]:
    values = group[measure].where(group["status"] == Status.FINISHED, -math.inf)
    known = group.assign(value=values).dropna(subset=["value"])
    return {
        str(line): dict(zip(rows["seed"].astype(int), rows["value"], strict=True))
        for line, rows in known.groupby("line", sort=False)
    }


def _row(size: int, ranks: list[Rank]) -> list[str]:
    best = ranks[0]
    ends = (min(best.values), max(best.values))
    return [
        str(size),
        best.line,
        _share(best.median),
        " to ".join(map(_share, ends)),
        " to ".join(map(_share, best.interval)),
        str(len(best.values)),
        "; ".join(best.ahead_of) or "none",
        "; ".join(best.beside) or "none",
    ]


def _share(value: float) -> str:
    return f"{value:.2%}" if math.isfinite(value) else "diverged"
