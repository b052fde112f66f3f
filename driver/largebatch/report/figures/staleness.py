"""How stale gradients are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullLocator

from largebatch.report.figures.style import MARKS, Drawing, category, legend, percent

MOST_LINES = 8
WIDEST = 0.999  # the share of gradients that the horizontal axis must show
SMALLEST = 0.001  # the smallest share that the vertical axis shows


def histograms(table: pd.DataFrame) -> Iterator[Drawing]:
    """A figure for each number of workers: the share of gradients at each staleness, a line per protocol.

    The table has columns workers, protocol, staleness and count.
    """
    for workers, part in table.groupby("workers"):
        names = list(dict.fromkeys(part["protocol"]))[:MOST_LINES]
        yield Drawing(
            f"staleness-{workers}-workers",
            "staleness",
            f"Staleness of gradients, {workers} workers",
            "Share of the gradients; without each worker's first one of an epoch.",
            partial(_draw, part=part, names=names),
        )


def _draw(ax: Axes, part: pd.DataFrame, names: Sequence[str]) -> None:
    last = 1
    for index, name in enumerate(names):
        counts = part[part["protocol"] == name].groupby("staleness")["count"].sum()
        shares = counts[counts > 0].reindex(range(int(counts.index.max()) + 1)) / counts.sum()
        last = max(last, int((shares.fillna(0).cumsum() < WIDEST).sum()))
        ax.plot(shares.index, shares, label=name, **category(index), markevery=-(-len(shares) // MARKS))
    ax.set_xlim(-0.03 * last, 1.03 * last)
    ax.set_yscale("log")
    ax.set_ylim(SMALLEST / 1.3, 1.3)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.yaxis.set_major_formatter(percent)
    ax.yaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("staleness: updates since the worker got its weights")
    ax.set_ylabel("gradients")
    legend(ax, columns=2)
