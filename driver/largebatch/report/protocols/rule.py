"""Rudra's rule, judged by a study's results: workers times rows per worker kept constant keeps the accuracy.

Gupta, Zhang and Wang 2016: the rows that each worker takes should be reduced as workers are added. Pure.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Sequence

from largebatch.report.claims import NOT_REPRODUCED, PARTLY, REPRODUCED, Claim, Statement
from largebatch.report.protocols.runs import Point

POINT = 0.01  # in error: twice the largest standard error over 10000 test images
PAPER = "Workers times rows per worker kept constant keeps the accuracy as workers are added."

_WORDS = {
    REPRODUCED: "holds, and is needed",
    PARTLY: "holds in part",
    NOT_REPRODUCED: "does not hold",
}


def judge(points: Sequence[Point]) -> dict[str, Claim]:
    """The verdict for each line of the points."""
    lines = dict.fromkeys(point.place.line for point in points)
    return {line: _claim([point for point in points if point.place.line == line]) for line in lines}


def _claim(points: Sequence[Point]) -> Claim:
    statements: tuple[Statement, ...] = (_kept(points), _needed(points))
    if any(statement.holds is None for statement in statements):  # one alone settles nothing
        statements = tuple(dataclasses.replace(statement, holds=None) for statement in statements)
    return Claim(1, PAPER, statements)


def _kept(points: Sequence[Point]) -> Statement:
    """At each product, the point with the fewest workers against all with more."""
    groups = _groups(points, lambda point: point.place.product)
    losses = dict(_loss(few, more) for few, *others in groups for more in others)
    text = "With the same product, more workers cost at most 1 point of test accuracy"
    return _statement(text, losses, all(loss <= POINT for loss in losses.values()))


def _needed(points: Sequence[Point]) -> Statement:
    """At the most rows per worker with several numbers of workers: the fewest against the most."""
    groups = _groups(points, lambda point: point.place.mu)
    losses = dict(_loss(few, more) for few, *_, more in groups[-1:])
    text = "With the same rows per worker, the largest that were run, more workers cost more than 1 point"
    return _statement(text, losses, all(loss > POINT for loss in losses.values()))


def _groups(points: Sequence[Point], key: Callable[[Point], int]) -> list[list[Point]]:
    """Points with the same key, of rising numbers of workers, where there are several; keys rising."""
    known = [point for point in points if not math.isnan(point.error)]
    ordered = sorted(known, key=lambda point: (key(point), point.place.workers))
    groups = [list(group) for _, group in itertools.groupby(ordered, key)]
    return [group for group in groups if len(group) > 1]


def _loss(few: Point, more: Point) -> tuple[str, float]:
    return (
        f"{few.place.workers} x {few.place.mu} to {more.place.workers} x {more.place.mu}",
        more.error - few.error,
    )


def _statement(text: str, losses: dict[str, float], holds: bool) -> Statement:
    if not losses:
        return Statement(text, "no two results to compare", None, ())
    least, most = min(losses, key=losses.__getitem__), max(losses, key=losses.__getitem__)
    measured = f"{losses[most] * 100:+z.2f} points from {most}"
    if least != most:
        passed = sum(loss <= POINT for loss in losses.values())
        measured = f"at worst {measured}; at most 1 point in {passed} of {len(losses)}"
    return Statement(text, measured, holds, ())


def sentences(claims: dict[str, Claim]) -> list[str]:
    """The answer in plain words where it is measured, lines with the same verdict together."""
    found = []
    for verdict, words in _WORDS.items():
        names = [line for line, claim in claims.items() if claim.verdict == verdict]
        if names:
            found.append(
                f"Rudra's rule (workers times rows per worker constant) {words}: {'; '.join(names)}."
            )
    return found
