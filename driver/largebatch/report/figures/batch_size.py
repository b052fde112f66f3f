"""Accuracy against the batch size."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from largebatch.records.result import Status
from largebatch.report import svg
from largebatch.report.claims import PAPERS_KIND
from largebatch.report.figures.style import Drawing, category, legend, percent
from largebatch.report.tables import line_names, middle, tunes

TICK_DISTANCE = 0.04  # least distance of two batch sizes on the axis, as a part of it


def against_batch_size(results: pd.DataFrame, cells: pd.DataFrame) -> Iterator[Drawing]:
    """A figure for each measure of accuracy that has values."""
    if cells.empty:
        return
    over = f"{middle(results).capitalize()} over the seeds"
    note = f"{over}, with the lowest and the highest. " if (cells["runs"] > 1).any() else ""
    papers = not tunes(results) and (results[["dataset", "network"]] == list(PAPERS_KIND)).all(axis=None)
    if (results["status"] == Status.DIVERGED).any():
        note += "A cross at the bottom: a run diverged, and does not count."
    for measure, caption in (
        ("test_accuracy", "Figure 2 of the paper. " if papers else ""),
        ("validation_accuracy", ""),
        ("train_accuracy", "Figure 3 of the paper. " if papers else ""),
        (
            "generalization_error",
            f"{'Figure 4 of the paper: t' if papers else 'T'}rain accuracy less test accuracy. ",
        ),
    ):
        if measure not in cells or cells[measure].isna().all():
            continue
        title = f"{measure.replace('_', ' ').capitalize()} against batch size"
        yield Drawing(
            measure.replace("_", "-"),
            "batch-size",
            title,
            (caption + note).strip(),
            partial(_draw_measure, results=results, cells=cells, measure=measure),
        )


def _draw_measure(ax: Axes, results: pd.DataFrame, cells: pd.DataFrame, measure: str) -> None:
    names = line_names(results)
    draw_lines(ax, cells, names, measure)
    ax.set_ylabel(measure.replace("_", " "))
    ax.yaxis.set_major_formatter(percent)
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


def draw_line(ax: Axes, part: pd.DataFrame, measure: str, count: str, look: Mapping[str, Any]) -> None:
    """A line; from the lowest to the highest where the column `count` is above one."""
    ax.plot(part["batch_size"], part[measure], **look)
    several = part[part[count] > 1]
    below, above = (abs(several[f"{measure}_{end}"] - several[measure]) for end in ("min", "max"))
    ax.errorbar(
        several["batch_size"], several[measure], [below, above], fmt="none", ecolor=look["color"],
        elinewidth=1, capsize=2.5,
    )  # fmt: skip


def draw_lines(ax: Axes, cells: pd.DataFrame, names: Sequence[str], measure: str) -> None:
    """A line per name, and from the lowest to the highest where there are several runs."""
    for index, name in enumerate(names):
        part = cells[cells["line"] == name]
        if part.empty:
            continue
        draw_line(ax, part, measure, "runs", {**category(index), "label": name})
    batch_size_axis(ax, sorted(set(cells["batch_size"])))
    legend(ax, columns=2 if len(names) < 5 and max(map(len, names)) < 24 else 1)


def batch_size_axis(ax: Axes, sizes: Sequence[int]) -> None:
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
