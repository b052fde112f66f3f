"""Accuracy while training, against epochs, updates and seconds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from largebatch.report.figures.style import (
    Drawing,
    epoch_axis,
    legend,
    log_ticks,
    over_seeds,
    percent,
    slug,
    some,
    step,
)
from largebatch.report.tables import headline

CURVES = 6  # most batch sizes in one figure of curves


def curves(epochs: pd.DataFrame, of_line: Mapping[str, pd.DataFrame]) -> Iterator[Drawing]:
    """Accuracy of some batch sizes against epochs, updates and seconds, a figure per line."""
    if epochs["epoch"].nunique() < 2:
        return
    sizes = some(sorted(set(epochs["batch_size"])), CURVES)
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
            yield Drawing(
                f"accuracy-by-{word}-{slug(name)}",
                "while-training",
                f"{name}: {measure.replace('_', ' ')} against {word}",
                f"A line per batch size{over_seeds(part)}.",
                partial(_draw_curves, part=part, axis=axis),
            )


@dataclass(frozen=True)
class _Axis:
    """The horizontal axis, and the scales that all lines' curves share, so that they can be compared."""

    column: str
    label: str
    sizes: Sequence[int]
    first: float
    last: float
    measure: str
    lowest: float


def _draw_curves(ax: Axes, part: pd.DataFrame, axis: _Axis) -> None:
    for index, size in enumerate(axis.sizes):
        of_size = part[part["batch_size"] == size].groupby("epoch")
        means = of_size[["updates", "elapsed_seconds", axis.measure]].mean().reset_index()
        if len(means):
            look = step(index, len(axis.sizes), len(means))
            ax.plot(means[axis.column], means[axis.measure], label=str(size), **look)
    ax.set_ylim(axis.lowest - 0.03, 1.005)
    ax.yaxis.set_major_formatter(percent)
    ax.set_ylabel(axis.measure.replace("_", " "))
    if axis.column == "epoch":
        epoch_axis(ax, axis.last)
    else:
        ax.set_xlabel(axis.label)
        ax.set_xscale("log")
        ax.set_xlim(axis.first / 1.2, axis.last * 1.2)
        ax.xaxis.set_major_locator(log_ticks(axis.last / axis.first))
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        ax.xaxis.set_minor_locator(NullLocator())
    legend(ax, columns=CURVES, title="batch size")
