"""The study's figures, drawn by matplotlib from the tidy tables, as SVG and PNG.

Equal tables give equal files. All have one size, small enough to be read when a phone shows them.
"""

from __future__ import annotations

import matplotlib as mpl
import pandas as pd

from largebatch.report.figures.batch_size import against_batch_size
from largebatch.report.figures.layers import gradient_norms, trust_ratios
from largebatch.report.figures.style import STYLE, Figure, render
from largebatch.report.figures.time import times
from largebatch.report.figures.training import curves
from largebatch.report.tables import line_names

__all__ = ["Figure", "draw"]


def draw(results: pd.DataFrame, cells: pd.DataFrame, epochs: pd.DataFrame) -> list[Figure]:
    """All figures for which the tables (tables.results, .cells, .epochs) have data."""
    names = line_names(results)
    of_line = {name: part for name in names if len(part := epochs[epochs["line"] == name])}
    drawings = (
        *against_batch_size(results, cells),
        *curves(epochs, of_line),
        *trust_ratios(of_line),
        *gradient_norms(of_line),
        *times(results, cells),
    )
    with mpl.rc_context(STYLE):
        return [render(drawing) for drawing in drawings]
