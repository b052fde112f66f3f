"""The study's figures, drawn by matplotlib from the tidy tables, as SVG and PNG.

Equal tables give equal files. All have one width, small enough to be read when a phone shows them, and one
height, unless a legend has many lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from largebatch.errors import UserError
from largebatch.files.safe import write_atomically
from largebatch.report.figures.plain import matplotlib_alone

# isort: split
# All below import matplotlib, which `plain` has to do first.
from largebatch.report.figures.batch_size import against_batch_size
from largebatch.report.figures.budgets import budgets
from largebatch.report.figures.layers import gradient_norms, trust_ratios
from largebatch.report.figures.noise import noise_scales
from largebatch.report.figures.rates import rates, tuned_rates
from largebatch.report.figures.staleness import histograms
from largebatch.report.figures.style import STYLE, Drawing, Figure, render
from largebatch.report.figures.targets import to_target
from largebatch.report.figures.time import times
from largebatch.report.figures.tradeoff import tradeoffs
from largebatch.report.figures.training import curves
from largebatch.report.protocols.runs import Point
from largebatch.report.tables import line_names

__all__ = [
    "Figure",
    "draw",
    "draw_histograms",
    "draw_rates",
    "draw_targets",
    "draw_tradeoffs",
    "draw_tuned",
    "write_figures",
]


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
    return _rendered(drawings)


def draw_histograms(table: pd.DataFrame) -> list[Figure]:
    """The figures of staleness.histograms."""
    return _rendered(histograms(table))


def draw_tradeoffs(points: Sequence[Point]) -> list[Figure]:
    """The figures of tradeoff.tradeoffs."""
    return _rendered(tradeoffs(points))


def draw_targets(
    medians: pd.DataFrame, epochs: pd.DataFrame, knees: Mapping[str, int | None]
) -> list[Figure]:
    """The figures of targets.to_target and noise.noise_scales."""
    of_line = {str(name): part for name, part in epochs.groupby("line", sort=False)}
    return _rendered([*to_target(medians), *noise_scales(of_line, knees)])


def draw_tuned(trials: pd.DataFrame, results: pd.DataFrame) -> list[Figure]:
    """The figures of a study that tunes: rates.tuned_rates of trials, budgets.budgets of final runs."""
    return _rendered([*tuned_rates(trials), *budgets(results)])


def draw_rates(errors: pd.DataFrame, part: str) -> list[Figure]:
    """The figures of rates.rates."""
    return _rendered(rates(errors, part))


def _rendered(drawings: Iterable[Drawing]) -> list[Figure]:
    with matplotlib_alone(STYLE):
        return [render(drawing) for drawing in drawings]


def write_figures(figures: Iterable[Figure], out: Path) -> None:
    """Write them into the folder figures/ of a folder. Raises UserError if that is a link."""
    folder = out / "figures"
    if folder.is_symlink():
        raise UserError(f"{folder} is a link, through which a report does not write: remove it")
    folder.mkdir(parents=True, exist_ok=True)
    for figure in figures:
        write_atomically(folder / f"{figure.name}.svg", figure.file.encode())
        write_atomically(folder / f"{figure.name}.png", figure.png)
