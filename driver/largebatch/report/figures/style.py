"""Shared by all figures: size, looks, axes, and the way they become files."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from largebatch.report import svg

SIZE_INCHES = (4.2, 3.1)
MOST_ROWS = 6  # of a legend; more make the figure taller
ROW_INCHES = 0.21
MARKS = 10  # most markers of a curve
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "largebatch",
    "text.parse_math": False,
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": svg.GRID,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "legend.title_fontsize": 8,
    "legend.handlelength": 1.9,
    "legend.columnspacing": 1,
    "legend.handletextpad": 0.5,
    "legend.borderaxespad": 0,
    **dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), svg.TEXT
    ),
}
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)), (0, (3, 1)), (0, (8, 2)))


@dataclass(frozen=True)
class Figure:
    """A figure: `inline` is its SVG for a page, `file` that for a file of its own."""

    name: str
    section: str
    title: str
    caption: str
    inline: str
    file: str
    png: bytes


@dataclass(frozen=True)
class Drawing:
    """A figure to draw: `draw` fills the axes."""

    name: str
    section: str
    title: str
    caption: str
    draw: Callable[[Axes], None]


def render(drawing: Drawing) -> Figure:
    """Draw it, as SVG and as PNG; call it within the context of STYLE."""
    canvas = Canvas(figsize=SIZE_INCHES, layout="constrained")
    drawing.draw(canvas.subplots())
    text, image = io.StringIO(), io.BytesIO()
    canvas.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    canvas.savefig(image, format="png", dpi=200, metadata={"Software": None})
    inline, file = svg.refine(text.getvalue(), drawing.name)
    return Figure(
        drawing.name, drawing.section, drawing.title, drawing.caption, inline, file, image.getvalue()
    )


def slug(text: str) -> str:
    """Text as a part of a file's name."""
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-")


# ---- looks ----


def category(index: int) -> dict[str, Any]:
    """Looks of one of several lines that have no order. Lines of one color differ in mark and dashes."""
    colors = svg.CATEGORIES
    turn = index // len(colors)
    return {
        "color": colors[index % len(colors)],
        "marker": MARKERS[(index + turn) % len(MARKERS)],
        "linestyle": DASHES[(index + 2 * turn) % len(DASHES)],
    }


def step(index: int, count: int, points: int) -> dict[str, Any]:
    """Looks of one of `count` curves that have an order."""
    place = round(index * (len(svg.STEPS) - 1) / max(count - 1, 1))
    return {
        "color": svg.STEPS[place],
        "marker": MARKERS[index % len(MARKERS)],
        "linestyle": DASHES[index % len(DASHES)],
        "markevery": -(-points // MARKS),
    }


def some(values: Sequence[int], count: int) -> list[int]:
    """At most `count` of the values, evenly spread, with the first and the last."""
    if len(values) <= count:
        return list(values)
    return [values[round(i * (len(values) - 1) / (count - 1))] for i in range(count)]


def over_seeds(part: pd.DataFrame, what: str = "mean") -> str:
    """A caption's words for the mean, or the median, where there are several seeds."""
    return f", {what} over the seeds" if part["seed"].nunique() > 1 else ""


# ---- axes ----


def percent(value: float, _: float) -> str:
    """A tick's label for an accuracy."""
    return f"{round(value * 100, 6):g}%"


def legend(ax: Axes, columns: int, title: str | None = None) -> None:
    """The legend, above the axes, which keep their height however many lines there are."""
    handles, labels = ax.get_legend_handles_labels()
    where: Any = "outside upper left"
    ax.figure.legend(handles, labels, loc=where, ncols=columns, title=title, alignment="left")
    too_many = max(0, math.ceil(len(labels) / columns) - MOST_ROWS)
    if isinstance(ax.figure, Canvas):
        ax.figure.set_figheight(SIZE_INCHES[1] + ROW_INCHES * too_many)


def epoch_axis(ax: Axes, last: float) -> None:
    """A horizontal axis of epochs, from 1 to the last."""
    margin = 0.05 * (last - 1)
    ax.set_xlim(1 - margin, last + margin)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("epochs")


def log_axis(ax: Axes) -> None:
    """A log scale upwards, with numbers where there is room for them."""
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    ax.yaxis.set_major_locator(log_ticks(high / low))
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.yaxis.set_minor_locator(NullLocator())


def log_ticks(ratio: float) -> LogLocator:
    """Ticks at 1, 2, 5, 10 ... where a log axis has room for them, else at powers of ten."""
    return LogLocator(subs=(1, 2, 5) if ratio < 200 else (1,))
