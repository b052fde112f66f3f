"""Rudra's trade-off: test error against time and against updates, for workers and rows per worker."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from largebatch.report.figures.style import Drawing, legend, log_ticks, percent, slug, step
from largebatch.report.protocols.runs import Point


@dataclass(frozen=True)
class _Axis:
    word: str
    label: str
    value: Callable[[Point], float]


_AXES = (
    _Axis("time", "seconds of training, without evaluation", lambda point: point.seconds),
    _Axis("updates", "updates", lambda point: point.updates),
)


def tradeoffs(points: Sequence[Point]) -> Iterator[Drawing]:
    """Two figures per line with several points; the scales of an axis are the same in all."""
    known = [point for point in points if not (math.isnan(point.error) or point.diverged)]
    counts = Counter(point.place.line for point in known)
    for line in (line for line, count in counts.items() if count > 1):
        for axis in _AXES:
            yield Drawing(
                f"tradeoff-{axis.word}-{slug(line)}",
                "trade-off",
                f"{line}: test error against {axis.word}",
                "Lines join equal workers times rows per worker; the numbers at the points are the workers.",
                partial(_draw, line=line, points=known, axis=axis),
            )


def _draw(ax: Axes, line: str, points: Sequence[Point], axis: _Axis) -> None:
    products = sorted({point.place.product for point in points})
    own = sorted(
        (point for point in points if point.place.line == line), key=lambda point: point.place.workers
    )
    for index, product in enumerate(products):
        joined = [point for point in own if point.place.product == product]
        values, errors = [axis.value(point) for point in joined], [point.error for point in joined]
        if joined:
            ax.plot(values, errors, label=str(product), **step(index, len(products), 1))
        for point, value in zip(joined, values, strict=True):
            ax.annotate(
                str(point.place.workers), (value, point.error), (3, 3), textcoords="offset points", fontsize=7
            )
    _scale(ax, [axis.value(point) for point in points], [point.error for point in points])
    ax.set_xlabel(axis.label)
    ax.set_ylabel("test error")
    legend(ax, columns=5, title="workers times rows per worker")


def _scale(ax: Axes, values: Sequence[float], errors: Sequence[float]) -> None:
    """Both axes logarithmic, wide enough for all points."""
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlim(min(values) / 1.2, max(values) * 1.2)
    ax.set_ylim(min(errors) / 1.2, max(errors) * 1.2)
    ax.xaxis.set_major_locator(log_ticks(max(values) / min(values)))
    ax.yaxis.set_major_locator(log_ticks(max(errors) / min(errors)))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.yaxis.set_major_formatter(percent)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_minor_locator(NullLocator())
