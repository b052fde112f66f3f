"""The findings of a study in plain words, computed from its tables. Pure."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from largebatch.records.reading import RunRecord, StudyRecord
from largebatch.records.result import Status
from largebatch.report import claims, tables
from largebatch.report.claims import PAPERS_KIND, Claim, Values

USEFUL = 0.90  # the paper, too, calls an accuracy below it a drop
MOST_LINES = 4  # with more lines, sentences don't compare them


@dataclass(frozen=True)
class Comparison:
    """The paper's claims, settled for a line of SGD with momentum and one of LARS."""

    sgd: str
    lars: str
    claims: tuple[Claim, ...]


def compare_with_paper(
    study: StudyRecord, results: pd.DataFrame, *, per_worker: bool = False, seeds: bool = True
) -> list[Comparison]:
    """The claims for all pairs of lines, from the runs of the paper's kind: LeNet on MNIST; else none.

    The paper tunes nothing, so the claims are not about runs that are tuned.
    `per_worker` reads the paper's batch size as that of one worker. `seeds` adds single seeds' verdicts.
    """
    dataset, network = PAPERS_KIND
    own = results[(results["dataset"] == dataset) & (results["network"] == network)]
    if own.empty or tables.tunes(results):
        return []
    if per_worker:
        own = own.assign(batch_size=own["batch_size"] // own["workers"])
    lines = {line.name: line for line in tables.lines(study).values()}
    return [
        Comparison(sgd.name, lars.name, judge(_finished(own, sgd.name, lars.name), sgd.name, lars.name))
        for sgd, lars in claims.pairs(lines.values())
        for judge in [_judge_with_seeds if seeds else _judge]
    ]


def is_of_papers_kind(run: RunRecord) -> bool:
    """Whether the claims are about such runs: LeNet on MNIST."""
    return (run.training.dataset, run.training.network) == PAPERS_KIND


def _finished(results: pd.DataFrame, sgd: str, lars: str) -> pd.DataFrame:
    return results[results["line"].isin([sgd, lars]) & (results["status"] == Status.FINISHED)]


def _judge(pair: pd.DataFrame, sgd: str, lars: str) -> tuple[Claim, ...]:
    """The claims from the means over the seeds."""
    return claims.judge(tables.cells(pair), sgd, lars)


def _judge_with_seeds(pair: pd.DataFrame, sgd: str, lars: str) -> tuple[Claim, ...]:
    """The claims from the means over the seeds, with the verdicts of the single seeds.

    A mean of three can be ahead by a point while one of the three is behind: the verdict alone hides this.
    """
    seeds = {
        seed: (_settings(part), _judge(part, sgd, lars))
        for seed in sorted(map(int, pair["seed"].unique()))
        for part in [pair[pair["seed"] == seed]]
    }
    judged = []
    for index, claim in enumerate(_judge(pair, sgd, lars)):
        needed = _settings(pair[pair["name"].isin(claim.runs)])
        able = [
            (seed, own[index].verdict) for seed, (there, own) in seeds.items() if needed and there >= needed
        ]
        judged.append(dataclasses.replace(claim, of_seeds=tuple(able) if len(able) > 1 else ()))
    return tuple(judged)


def _settings(results: pd.DataFrame) -> set[tuple[str, int]]:
    return set(zip(results["line"], results["batch_size"].astype(int), strict=True))


def sentences(results: pd.DataFrame, cells: pd.DataFrame, comparisons: Sequence[Comparison]) -> list[str]:
    """The summary, a sentence or two per item."""
    names = list(dict.fromkeys(cells["line"]))

    def values(measure: str) -> dict[str, Values]:
        return {name: tables.by_batch_size(cells, name, measure) for name in names}

    measure = tables.headline(cells)
    word = measure.replace("_", " ")
    accuracies = {name: found for name, found in values(measure).items() if found}
    names = list(accuracies)
    pairs = itertools.combinations(names, 2) if len(names) <= MOST_LINES else ()
    return [
        _progress(results),
        *(_useful(name, word, found) for name, found in accuracies.items()),
        *(_lead(word, (a, accuracies[a]), (b, accuracies[b])) for a, b in pairs),
        *_best(word, accuracies),
        *(_gap(name, found) for name, found in values("generalization_error").items() if found),
        *(_time(*item) for item in values("median_epoch_seconds").items()),
        *(_verdicts(comparison) for comparison in comparisons),
        *_placements(results),
    ]


def sizes(values: Iterable[int], among: Sequence[int]) -> str:
    """Batch sizes as text; those that follow each other in `among` as "64 to 512"."""
    wanted = set(values)
    parts = []
    for present, group in itertools.groupby(among, wanted.__contains__):
        run = list(group)
        if present:
            parts.append(f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)))
    return ", ".join(parts)


def _progress(results: pd.DataFrame) -> str:
    counts = Counter(results["status"])
    finished = counts.pop(Status.FINISHED, 0)
    others = "".join(f", {count} {status}" for status, count in counts.items())
    return f"{finished} of {len(results)} runs finished{others}."


def _useful(name: str, word: str, accuracy: Values) -> str:
    good = list(itertools.takewhile(lambda size: accuracy[size] >= USEFUL, accuracy))
    rest = list(accuracy)[len(good) :]
    if not good:
        return f"{name}: {word} is below {USEFUL:.0%} already at {_at(accuracy, rest[0])}."
    held = f"{name} keeps a {word} of {USEFUL:.0%} or more up to {_at(accuracy, good[-1])}"
    if not rest:
        return f"{held}, the largest that has a result."
    return f"{held} and falls below it at {_at(accuracy, rest[0])}."


def _at(accuracy: Values, size: int) -> str:
    return f"batch size {size} ({accuracy[size]:.2%})"


def _lead(word: str, one: tuple[str, Values], other: tuple[str, Values]) -> str:
    """The batch sizes at which one of two lines leads by more than chance."""
    (a, of_a), (b, of_b) = one, other
    lead = {size: value - of_b[size] for size, value in of_a.items() if size in of_b}
    if not lead:
        return f"{a} and {b} have no batch size in common yet."
    return (
        "; ".join(
            [
                *_ahead(a, b, word, lead),
                *_ahead(b, a, word, {size: -value for size, value in lead.items()}),
                *_level(a, b, lead),
            ]
        )
        + "."
    )


def _ahead(name: str, other: str, word: str, lead: Values) -> list[str]:
    there = [size for size, value in lead.items() if value >= claims.BETTER]
    if not there:
        return []
    widest = max(there, key=lead.__getitem__)
    text = f"{name} has a higher {word} than {other} at batch size {sizes(there, list(lead))}"
    return [f"{text}, by {lead[widest] * 100:.1f} points{f' at {widest}' if len(there) > 1 else ''}"]


def _level(a: str, b: str, lead: Values) -> list[str]:
    there = [size for size, value in lead.items() if abs(value) < claims.BETTER]
    point = f"{claims.BETTER * 100:.0f} point"
    return [f"{a} and {b} are less than {point} apart at {sizes(there, list(lead))}"] if there else []


def _best(word: str, accuracies: dict[str, Values]) -> list[str]:
    every = [(value, name, size) for name, values in accuracies.items() for size, value in values.items()]
    if not every:
        return []
    value, name, size = max(every)
    return [f"Best {word}: {value:.2%}, by {name} at batch size {size}."]


def _gap(name: str, gap: Values) -> str:
    low, high = min(gap, key=gap.__getitem__), max(gap, key=gap.__getitem__)
    text = (
        f"{name}: generalization error (train less test accuracy) of {gap[low] * 100:+z.2f} points at {low}"
    )
    return f"{text}." if low == high else f"{text} to {gap[high] * 100:+z.2f} points at {high}."


def _time(name: str, seconds: Values) -> str:
    fast, slow = min(seconds, key=seconds.__getitem__), max(seconds, key=seconds.__getitem__)
    text = f"{name}: an epoch of training takes {seconds[fast]:.1f} s at batch size {fast}"
    return f"{text}." if fast == slow else f"{text}, {seconds[slow]:.1f} s at {slow}."


def _placements(results: pd.DataFrame) -> list[str]:
    """Why runs differ whose data are placed differently; nothing if the driver has those of all."""
    shared = Counter(results.get("data_placement", ()))["executors"]
    if not shared:
        return []
    return [
        f"In {shared} of {len(results)} runs the workers held the rows (data placement executors). "
        "Such a run differs from one with placement driver by the order of the rows."
    ]


def _verdicts(comparison: Comparison) -> str:
    counts = Counter(claim.verdict for claim in comparison.claims)
    parts = [
        f"{counts[verdict]} {verdict}"
        for verdict in (claims.REPRODUCED, claims.PARTLY, claims.NOT_REPRODUCED, claims.NOT_MEASURED)
        if counts[verdict]
    ]
    differ = [str(claim.number) for claim in comparison.claims if claim.seeds_differ]
    seeds = f" Single seeds give other verdicts on claim{'s' if len(differ) > 1 else ''} {', '.join(differ)}."
    return (
        f"The paper's {len(comparison.claims)} claims, for {comparison.lars} against {comparison.sgd}: "
        f"{', '.join(parts)}.{seeds if differ else ''}"
    )
