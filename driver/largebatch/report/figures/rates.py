"""The best learning rate against the batch size, and the error over both."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from largebatch.report import svg
from largebatch.report.figures.batch_size import batch_size_axis
from largebatch.report.figures.style import Drawing, category, legend, log_axis, slug
from largebatch.report.rates import best, titled
from largebatch.report.rates import errors as table_of

SECTION = "rates"
LABELS = 12  # most rates with a number beside the heat map
_OUTSIDE = (-9, -9)  # of the axes, for patches that the legend shows
_GUIDES = ((1.0, (0, (4, 3))), (0.5, (0, (1, 2))))


def rates(errors: pd.DataFrame, part: str) -> Iterator[Drawing]:
    """The figures of a table of rates.errors, which are of a `part` of the data."""
    return _rates(
        errors,
        best(errors),
        f"The rate with the lowest error on the {part} part.",
        f"Error on the {part} part, the median over the seeds. Hatched: diverged. Dot: the lowest error at "
        "its batch size.",
    )


def tuned_rates(trials: pd.DataFrame) -> Iterator[Drawing]:
    """The figures of trials, a row each, as tuning.table.compared has them."""
    errors = table_of(trials, "validation_accuracy")
    if errors.empty:
        return iter(())
    chosen = trials[trials["selected"] & titled(trials["optimizer"]).isin(errors["optimizer"])]
    epoch, epochs = trials["epoch"].max(), trials["epochs"].max()
    return _rates(
        errors,
        chosen.assign(optimizer=titled(chosen["optimizer"])),
        "The rate of the trial that was chosen.",
        f"Error on the validation part after epoch {epoch:.0f} of {epochs:.0f}. Hatched: diverged. Dot: the "
        "trial that was chosen in the end.",
    )


def _rates(errors: pd.DataFrame, found: pd.DataFrame, of_best: str, of_errors: str) -> Iterator[Drawing]:
    if found["batch_size"].nunique() > 1:
        yield Drawing(
            "best-rate",
            SECTION,
            "Best learning rate against batch size",
            f"{of_best} Grey: a rate that grows like the batch size (dashed), or like its square root "
            "(dotted). Hollow: the lowest or highest rate that was tried: a better one may lie beyond.",
            partial(_draw_best, found=found),
        )
    for name, group in errors.groupby("optimizer", sort=False):
        yield Drawing(
            f"errors-{slug(str(name))}",
            SECTION,
            f"{name}: error by learning rate and batch size",
            of_errors,
            partial(_draw_heat, table=group, found=found[found["optimizer"] == name]),
        )


def _draw_best(ax: Axes, found: pd.DataFrame) -> None:
    names = list(dict.fromkeys(found["optimizer"]))
    for index, name in enumerate(names):
        of_line = found[found["optimizer"] == name].sort_values("batch_size")
        look = category(index)
        ax.plot(of_line["batch_size"], of_line["learning_rate"], label=name, **look)
        edges = of_line[of_line["edge"]]
        ax.plot(
            edges["batch_size"], edges["learning_rate"], look["marker"], color=look["color"],
            markerfacecolor="white", markersize=7,
        )  # fmt: skip
        sizes = of_line["batch_size"].to_numpy(dtype=float)
        for power, dashes in _GUIDES:
            guide = of_line["learning_rate"].iloc[0] * (sizes / sizes[0]) ** power
            ax.plot(sizes, guide, color=svg.TEXT, alpha=0.45, linewidth=0.8, linestyle=dashes, zorder=1)
    log_axis(ax)
    ax.set_ylabel("best learning rate")
    batch_size_axis(ax, sorted(set(found["batch_size"].astype(int))))
    legend(ax, columns=2 if len(names) < 5 and max(map(len, names)) < 24 else 1)


def _draw_heat(ax: Axes, table: pd.DataFrame, found: pd.DataFrame) -> None:
    sizes = sorted(set(table["batch_size"].astype(int)))
    tried = sorted(set(table["learning_rate"]))
    edges = _edges(table["error"].dropna())
    for row in table.to_dict("records"):
        corner = sizes.index(row["batch_size"]) - 0.5, tried.index(row["learning_rate"]) - 0.5
        ax.add_patch(Rectangle(corner, 1, 1, **_look(row["error"], bool(row["diverged"]), edges)))
    for row in found.to_dict("records"):
        ax.plot(
            sizes.index(row["batch_size"]), tried.index(row["learning_rate"]), "o", color="white",
            markeredgecolor="black", markersize=5,
        )  # fmt: skip
    ax.grid(visible=False)
    ax.set_xlim(-0.5, len(sizes) - 0.5)
    ax.set_ylim(-0.5, len(tried) - 0.5)
    ax.set_xticks(range(len(sizes)), [str(size) for size in sizes])
    ax.tick_params(axis="x", rotation=0 if len(sizes) < 7 else 90)
    every = -(-len(tried) // LABELS)
    ax.set_yticks(range(0, len(tried), every), [f"{rate:.3g}" for rate in tried[::every]])
    ax.set_xlabel("batch size")
    ax.set_ylabel("learning rate")
    _heat_legend(ax, edges, diverged=bool(table["diverged"].any()))


def _edges(errors: pd.Series[float]) -> list[float]:
    """Bounds of a class of errors for each colour, evenly spread on a log scale."""
    if errors.empty:
        return []
    low, high = max(float(errors.min()), 1e-4), max(float(errors.max()), 1e-4)
    if high / low < 1.01:
        return [high]
    return [float(edge) for edge in np.geomspace(low, high, len(svg.STEPS) + 1)[1:]]


def _look(error: float, diverged: bool, edges: list[float]) -> dict[str, Any]:
    if diverged or math.isnan(error):
        return {"facecolor": "none", "edgecolor": svg.CATEGORIES[-1], "hatch": "////", "linewidth": 0}
    place = min(int(np.searchsorted(edges, error * (1 - 1e-9))), len(edges) - 1)
    return {"facecolor": svg.STEPS[-1 - place], "edgecolor": "none"}


def _heat_legend(ax: Axes, edges: list[float], *, diverged: bool) -> None:
    """The classes of errors, the lowest first, and the hatch of runs that diverged."""
    for edge in edges:
        label = f"to {edge:.2%}" if edge < 0.1 else f"to {edge:.0%}"
        ax.add_patch(Rectangle(_OUTSIDE, 0, 0, label=label, **_look(edge, False, edges)))
    if diverged:
        ax.add_patch(Rectangle(_OUTSIDE, 0, 0, label="diverged", **_look(math.nan, True, edges)))
    legend(ax, columns=4)
