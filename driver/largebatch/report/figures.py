"""The study's figures, drawn by matplotlib from the tidy tables, as SVG and PNG.

Equal tables give equal files. All have one size, small enough to be read when a phone shows them.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from largebatch.records.result import Status
from largebatch.report import svg
from largebatch.report.tables import groups, headline, line_names

SIZE_INCHES = (4.2, 3.1)
TICK_DISTANCE = 0.04  # least distance of two batch sizes on the axis, as a part of it
CURVES = 6  # most batch sizes in one figure of curves
RATIO_SIZES = 3  # most batch sizes whose trust ratios are drawn
MARKS = 10  # most markers of a curve
_STYLE: Any = {
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
_MARKERS = ("o", "s", "^", "D", "v", "P")
_DASHES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)), (0, (3, 1)), (0, (8, 2)))


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
class _Drawing:
    name: str
    section: str
    title: str
    caption: str
    draw: Callable[[Axes], None]


def draw(results: pd.DataFrame, cells: pd.DataFrame, epochs: pd.DataFrame) -> list[Figure]:
    """All figures that the tables (tables.results, .cells, .epochs) have something for."""
    names = line_names(results)
    of_line = {name: part for name in names if len(part := epochs[epochs["line"] == name])}
    drawings = (
        *_against_batch_size(results, cells),
        *_curves(epochs, of_line),
        *_trust_ratios(of_line),
        *_times(results, cells),
    )
    with mpl.rc_context(_STYLE):
        return [_render(drawing) for drawing in drawings]


def _render(drawing: _Drawing) -> Figure:
    canvas = Canvas(figsize=SIZE_INCHES, layout="constrained")
    drawing.draw(canvas.subplots())
    text, image = io.StringIO(), io.BytesIO()
    canvas.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    canvas.savefig(image, format="png", dpi=200, metadata={"Software": None})
    inline, file = svg.refine(text.getvalue(), drawing.name)
    return Figure(
        drawing.name, drawing.section, drawing.title, drawing.caption, inline, file, image.getvalue()
    )


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-")


# ---- against the batch size ----


def _against_batch_size(results: pd.DataFrame, cells: pd.DataFrame) -> Iterator[_Drawing]:
    if cells.empty:
        return
    note = "Mean over the seeds, with the lowest and the highest. " if (cells["runs"] > 1).any() else ""
    if (results["status"] == Status.DIVERGED).any():
        note += "A cross at the bottom: a run diverged."
    for measure, caption in (
        ("test_accuracy", "Figure 2 of the paper. "),
        ("validation_accuracy", ""),
        ("train_accuracy", "Figure 3 of the paper. "),
        ("generalization_error", "Figure 4 of the paper: train accuracy less test accuracy. "),
    ):
        if measure not in cells or cells[measure].isna().all():
            continue
        title = f"{measure.replace('_', ' ').capitalize()} against batch size"
        yield _Drawing(
            measure.replace("_", "-"),
            "batch-size",
            title,
            (caption + note).strip(),
            partial(_draw_measure, results=results, cells=cells, measure=measure),
        )


def _draw_measure(ax: Axes, results: pd.DataFrame, cells: pd.DataFrame, measure: str) -> None:
    names = line_names(results)
    _draw_lines(ax, cells, names, measure)
    ax.set_ylabel(measure.replace("_", " "))
    ax.yaxis.set_major_formatter(_percent)
    if measure == "generalization_error":
        ax.axhline(0, color=svg.TEXT, linewidth=0.8)
        ax.set_ylabel("train less test accuracy, points")
        ax.yaxis.set_major_formatter(lambda value, _: f"{value * 100:+.1f}" if value else "0")
    else:
        ax.set_ylim(top=min(1.005, ax.get_ylim()[1]))
    diverged = results[results["status"] == Status.DIVERGED]
    for name, sizes in diverged.groupby("line")["batch_size"]:
        color = svg.CATEGORIES[names.index(str(name)) % len(svg.CATEGORIES)]
        ax.plot(
            sizes, [0.02] * len(sizes), "x", color=color, transform=ax.get_xaxis_transform(), clip_on=False
        )


def _draw_lines(ax: Axes, cells: pd.DataFrame, names: Sequence[str], measure: str) -> None:
    """A line per name: means, and from the lowest to the highest where there are several runs."""
    for index, name in enumerate(names):
        part = cells[cells["line"] == name]
        if part.empty:
            continue
        look = _category(index)
        ax.plot(part["batch_size"], part[measure], label=name, **look)
        several = part[part["runs"] > 1]
        below, above = (abs(several[f"{measure}_{end}"] - several[measure]) for end in ("min", "max"))
        ax.errorbar(
            several["batch_size"], several[measure], [below, above], fmt="none", ecolor=look["color"],
            elinewidth=1, capsize=2.5,
        )  # fmt: skip
    _batch_size_axis(ax, sorted(set(cells["batch_size"])))
    _legend(ax, columns=2 if len(names) < 5 and max(map(len, names)) < 24 else 1)


def _category(index: int) -> dict[str, Any]:
    colors = svg.CATEGORIES
    return {
        "color": colors[index % len(colors)],
        "marker": _MARKERS[index % len(_MARKERS)],
        "linestyle": _DASHES[index % len(_DASHES)],
    }


def _batch_size_axis(ax: Axes, sizes: Sequence[int]) -> None:
    """A log axis with a tick at every batch size that was run, and its number where there is room."""
    ax.set_xscale("log", base=2)
    ax.xaxis.set_minor_locator(NullLocator())
    if len(sizes) > 1:
        margin = 0.04 * math.log2(sizes[-1] / sizes[0])
        ax.set_xlim(sizes[0] * 2**-margin, sizes[-1] * 2**margin)
    labelled = _with_room(sizes)
    ax.set_xticks(sizes, [str(size) if size in labelled else "" for size in sizes])
    ax.tick_params(axis="x", rotation=0 if len(labelled) < 7 else 90)
    ax.set_xlabel("batch size")


def _with_room(sizes: Sequence[int]) -> set[int]:
    """The sizes that can be labelled without touching, from the largest down; the smallest always."""
    span = math.log2(sizes[-1] / sizes[0]) or 1
    chosen = [sizes[-1]]
    for size in reversed(sizes[:-1]):
        room = math.log2(chosen[-1] / size) / span >= TICK_DISTANCE
        if room and (size == sizes[0] or math.log2(size / sizes[0]) / span >= TICK_DISTANCE):
            chosen.append(size)
    return {*chosen, sizes[0]}


def _percent(value: float, _: float) -> str:
    return f"{round(value * 100, 6):g}%"


def _legend(ax: Axes, columns: int, title: str | None = None) -> None:
    handles, labels = ax.get_legend_handles_labels()
    where: Any = "outside upper left"
    ax.figure.legend(handles, labels, loc=where, ncols=columns, title=title, alignment="left")


# ---- while training ----


def _curves(epochs: pd.DataFrame, of_line: Mapping[str, pd.DataFrame]) -> Iterator[_Drawing]:
    """Accuracy of some batch sizes against epochs, updates and seconds, a figure per line."""
    if epochs["epoch"].nunique() < 2:
        return
    sizes = _some(sorted(set(epochs["batch_size"])), CURVES)
    measure = headline(epochs)
    lowest = epochs[measure].min()
    axes = [
        _Axis(column, label, sizes, epochs[column].min(), epochs[column].max(), measure, lowest)
        for column, label in (
            ("epoch", "epochs"),
            ("updates", "updates"),
            ("elapsed_seconds", "seconds of training, without evaluation"),
        )
    ]
    for name, part in of_line.items():
        for axis in axes:
            word = axis.label.partition(" ")[0]
            yield _Drawing(
                f"accuracy-by-{word}-{_slug(name)}",
                "while-training",
                f"{name}: {measure.replace('_', ' ')} against {word}",
                f"A line per batch size{_over_seeds(part)}.",
                partial(_draw_curves, part=part, axis=axis),
            )


@dataclass(frozen=True)
class _Axis:
    """Against what accuracy is drawn, and what all lines' curves share, so that they can be compared."""

    column: str
    label: str
    sizes: Sequence[int]
    first: float
    last: float
    measure: str
    lowest: float


def _over_seeds(part: pd.DataFrame) -> str:
    return ", mean over the seeds" if part["seed"].nunique() > 1 else ""


def _draw_curves(ax: Axes, part: pd.DataFrame, axis: _Axis) -> None:
    for index, size in enumerate(axis.sizes):
        of_size = part[part["batch_size"] == size].groupby("epoch")
        means = of_size[["updates", "elapsed_seconds", axis.measure]].mean().reset_index()
        if len(means):
            look = _step(index, len(axis.sizes), len(means))
            ax.plot(means[axis.column], means[axis.measure], label=str(size), **look)
    ax.set_ylim(axis.lowest - 0.03, 1.005)
    ax.yaxis.set_major_formatter(_percent)
    ax.set_ylabel(axis.measure.replace("_", " "))
    if axis.column == "epoch":
        _epoch_axis(ax, axis.last)
    else:
        ax.set_xlabel(axis.label)
        ax.set_xscale("log")
        ax.set_xlim(axis.first / 1.2, axis.last * 1.2)
        ax.xaxis.set_major_locator(_log_ticks(axis.last / axis.first))
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        ax.xaxis.set_minor_locator(NullLocator())
    _legend(ax, columns=CURVES, title="batch size")


def _epoch_axis(ax: Axes, last: float) -> None:
    margin = 0.05 * (last - 1)
    ax.set_xlim(1 - margin, last + margin)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("epochs")


def _log_ticks(ratio: float) -> LogLocator:
    """Ticks at 1, 2, 5, 10 ... where a log axis has room for them, else at powers of ten."""
    return LogLocator(subs=(1, 2, 5) if ratio < 200 else (1,))


def _step(index: int, count: int, points: int) -> dict[str, Any]:
    """Looks of one of `count` curves that have an order."""
    place = round(index * (len(svg.STEPS) - 1) / max(count - 1, 1))
    return {
        "color": svg.STEPS[place],
        "marker": _MARKERS[index % len(_MARKERS)],
        "linestyle": _DASHES[index % len(_DASHES)],
        "markevery": -(-points // MARKS),
    }


def _some(values: Sequence[int], count: int) -> list[int]:
    """At most `count` of the values, evenly spread, with the first and the last."""
    if len(values) <= count:
        return list(values)
    return [values[round(i * (len(values) - 1) / (count - 1))] for i in range(count)]


# ---- trust ratios ----


def _trust_ratios(of_line: Mapping[str, pd.DataFrame]) -> Iterator[_Drawing]:
    """Trust ratios of all layers against epochs: a figure per line that has any, and some batch sizes."""
    for name, part in of_line.items():
        ratios = part[[f"{group}_trust_ratio" for group in groups(part)]].replace([0, math.inf], math.nan)
        if ratios.isin([1, math.nan]).all(axis=None) or part["epoch"].nunique() < 2:
            continue  # not an optimizer with a rate of its own for each layer
        values = ratios.to_numpy(dtype=float)
        frame = _Frame(float(np.nanmin(values)), float(np.nanmax(values)), int(part["epoch"].max()))
        for size in _some(sorted(set(part["batch_size"])), RATIO_SIZES):
            yield _Drawing(
                f"trust-ratios-{_slug(name)}-b{size}",
                "trust-ratios",
                f"{name}: trust ratios at batch size {size}",
                f"The local rate of each layer, at the last update of an epoch{_over_seeds(part)}.",
                partial(_draw_ratios, part=part[part["batch_size"] == size], frame=frame),
            )


@dataclass(frozen=True)
class _Frame:
    """What the figures of a line's trust ratios share, so that they can be compared."""

    lowest: float
    highest: float
    epochs: int


def _draw_ratios(ax: Axes, part: pd.DataFrame, frame: _Frame) -> None:
    names = groups(part)
    for index, name in enumerate(names):
        means = part.groupby("epoch")[f"{name}_trust_ratio"].mean()
        if means.notna().any():
            ax.plot(means.index, means, label=name, **_step(index, len(names), len(means)))
    ax.set_yscale("log")
    ax.set_ylim(frame.lowest / 1.3, frame.highest * 1.3)
    ax.yaxis.set_major_locator(_log_ticks(frame.highest / frame.lowest))
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.yaxis.set_minor_locator(NullLocator())
    _epoch_axis(ax, frame.epochs)
    ax.set_ylabel("trust ratio")
    _legend(ax, columns=5 if len(names) <= 5 else 3)


# ---- time ----


def _times(results: pd.DataFrame, cells: pd.DataFrame) -> Iterator[_Drawing]:
    if cells.empty:
        return
    yield _Drawing(
        "epoch-time",
        "time",
        "Time of an epoch against batch size",
        "Median over the epochs of a run, without evaluation; it depends on what else the machine did.",
        partial(_draw_times, results=results, cells=cells),
    )


def _draw_times(ax: Axes, results: pd.DataFrame, cells: pd.DataFrame) -> None:
    _draw_lines(ax, cells, line_names(results), "median_epoch_seconds")
    ax.set_ylim(bottom=0)
    ax.set_ylabel("seconds per epoch")
