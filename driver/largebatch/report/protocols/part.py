"""The part of a report that is about protocols."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from largebatch.records.reading import StudyRecord
from largebatch.report import figures
from largebatch.report.claims import NOT_MEASURED, Claim
from largebatch.report.content import ABSENT
from largebatch.report.figures import Figure
from largebatch.report.parts import Part, Table
from largebatch.report.protocols import behind, rule, runs, spread, staleness
from largebatch.report.protocols.behind import Behind
from largebatch.report.protocols.runs import Point
from largebatch.report.protocols.spread import Spread
from largebatch.report.protocols.staleness import Compared

_STALENESS = (
    "Means over all gradients but each worker's first one of an epoch. Theory is (workers - 1) divided by "
    "the gradients of an update. The simulation has log-normal compute times, whose variation is found from "
    "the asynchronous runs of the same size."
)
_BEHIND = "Test error less that of hardsync with the same workers and rows per worker, in points."
_POINTS = (
    "Test error and seconds of training, means over the runs, with the lowest and the highest error. The "
    "product is workers times rows per worker."
)
_SPREAD = (
    "From the lowest to the highest error, in points: between seeds, by the means over their repetitions, "
    "and between repetitions of one seed, of which the widest."
)


def part(study: StudyRecord) -> list[Part]:
    """The part; none if no run has a protocol with stale gradients, or none has begun."""
    if not runs.concerns(study):
        return []
    ended = runs.ended(study)
    points = runs.points(ended)
    claims = rule.judge(points) if runs.compares(study) else {}
    lost = behind.behind(points)
    compared = staleness.compare(study)
    tables = [
        Table("The rule", f"{rule.PAPER} Judged by means over the runs.", _rule_rows(claims)),
        Table("Against hardsync", _BEHIND, _behind_rows(lost)),
        Table("Test error and time", _POINTS, _point_rows(points)),
        Table("Spread", _SPREAD, _spread_rows(spread.spreads(ended))),
        Table("Staleness: measured, simulated and by theory", _STALENESS, _staleness_rows(compared)),
    ]
    sentences = [
        *rule.sentences(claims),
        *behind.sentence(lost),
        *_accuracy_of_simulation(compared),
        *_remarks(study),
    ]
    shown = [table for table in tables if len(table.rows) > 1]
    if not shown:
        return []
    return [
        Part("protocols", "Protocols of the parameter server", sentences, shown, ("trade-off", "staleness"))
    ]


def drawings(study: StudyRecord) -> list[Figure]:
    """The figures of the part."""
    if not runs.concerns(study):
        return []
    histograms = figures.draw_histograms(staleness.histograms(study))
    if not runs.compares(study):
        return histograms
    return [*figures.draw_tradeoffs(runs.points(runs.ended(study))), *histograms]


def _staleness_rows(compared: Sequence[Compared]) -> list[list[str]]:
    headings = [
        "protocol", "workers", "rows per worker", "gradients", "measured", "simulated", "off", "theory",
        "above 2n", "simulated", "largest", "variation of times",
    ]  # fmt: skip
    rows = [
        [
            one.training.protocol_title,
            str(one.training.workers),
            str(one.training.batch_size // one.training.workers),
            str(one.measured.total),
            _number(one.measured.mean, "{:.2f}"),
            _number(one.predicted.mean if one.predicted else None, "{:.2f}"),
            _number(one.off, "{:+z.0%}"),
            _number(one.theory, "{:.2f}"),
            _number(one.measured.above(one.limit), "{:.1%}"),
            _number(one.predicted.above(one.limit) if one.predicted else None, "{:.1%}"),
            _number(one.measured.largest, "{:.0f}"),
            _number(one.times.shape if one.times else None, "{:.2f}"),
        ]
        for one in compared
    ]
    return [headings, *rows]


def _point_rows(points: Sequence[Point]) -> list[list[str]]:
    """A row for each number of workers and of rows per worker, a column for each line."""
    lines = list(dict.fromkeys(point.place.line for point in points))
    of_place = {(point.place.line, point.place.workers, point.place.mu): point for point in points}
    sizes = sorted({(point.place.product, point.place.workers, point.place.mu) for point in points})
    rows = [
        [
            str(product),
            str(workers),
            str(mu),
            *(_result(of_place.get((line, workers, mu))) for line in lines),
        ]
        for product, workers, mu in sizes
    ]
    return [["product", "workers", "rows per worker", *lines], *rows]


def _result(point: Point | None) -> str:
    if point is None:
        return ABSENT
    if point.diverged:
        every = point.diverged == point.runs
        return "diverged" if every else f"{point.diverged} of {point.runs} diverged"
    between = f" ({point.lowest:.2%} to {point.highest:.2%})" if point.runs > 1 else ""
    return f"{_number(point.error, '{:.2%}')}{between}, {point.seconds:.0f} s"


def _rule_rows(claims: Mapping[str, Claim]) -> list[list[str]]:
    rows = [
        [
            line,
            claim.verdict,
            *(statement.measured for statement in claim.statements),
        ]
        for line, claim in claims.items()
        if claim.verdict != NOT_MEASURED
    ]
    return [["protocol", "verdict", "same product", "same rows per worker"], *rows]


def _behind_rows(lost: Sequence[Behind]) -> list[list[str]]:
    rows = [
        [
            one.line,
            str(len(one.losses)),
            f"{one.losses[one.worst] * 100:+z.2f}",
            one.worst.size,
            str(one.close),
        ]
        for one in lost
    ]
    return [["protocol", "compared", "at worst", "workers x rows", "at most 1 point"], *rows]


def _spread_rows(spreads: Sequence[Spread]) -> list[list[str]]:
    headings = [
        "protocol",
        "workers",
        "rows per worker",
        "seeds",
        "between seeds",
        "repetitions",
        "between these",
    ]
    rows = [
        [
            one.place.line,
            str(one.place.workers),
            str(one.place.mu),
            str(one.seeds),
            _points(one.between_seeds),
            str(one.repetitions),
            _points(one.between_repetitions),
        ]
        for one in spreads
    ]
    return [headings, *rows]


def _points(value: float | None) -> str:
    return _number(value if value is None else value * 100, "{:.2f}")


def _number(value: float | None, form: str) -> str:
    return ABSENT if value is None or math.isnan(value) else form.format(value)


def _accuracy_of_simulation(compared: Sequence[Compared]) -> list[str]:
    off = [abs(one.off) for one in compared if not math.isnan(one.off)]
    if not off:
        return []
    return [
        f"The simulated mean staleness is at most {max(off):.0%} from the measured one, in {len(off)} cases."
    ]


def _remarks(study: StudyRecord) -> list[str]:
    """What a reader must know about times and about chance."""
    timing = "The runs of protocols other than hardsync depend on timing: equal runs differ."
    cores = [
        run.versions["cores"]
        for run in study.runs
        if isinstance(run.versions.get("cores"), int) and run.versions["cores"] < run.training.workers
    ]
    if not cores:
        return [timing]
    most = max(run.training.workers for run in study.runs)
    return [timing, f"Up to {most} workers shared {min(cores)} cores: the times are not speed-ups."]
