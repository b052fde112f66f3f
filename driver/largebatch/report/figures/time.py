"""Time of an epoch against the batch size."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from largebatch.report.figures.batch_size import draw_lines
from largebatch.report.figures.style import Drawing
from largebatch.report.tables import line_names


def times(results: pd.DataFrame, cells: pd.DataFrame) -> Iterator[Drawing]:
    """One figure, unless no run has finished."""
    if cells.empty:
        return
    yield Drawing(
        "epoch-time",
        "time",
        "Time of an epoch against batch size",
        "Median over the epochs of a run, without evaluation; it depends on what else the machine did.",
        partial(_draw_times, results=results, cells=cells),
    )


def _draw_times(ax: Axes, results: pd.DataFrame, cells: pd.DataFrame) -> None:
    draw_lines(ax, cells, line_names(results), "median_epoch_seconds")
    ax.set_ylim(bottom=0)
    ax.set_ylabel("seconds per epoch")
