"""Trust ratios and gradient norms of the layers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from largebatch.report.figures.style import (
    Drawing,
    epoch_axis,
    legend,
    log_ticks,
    over_seeds,
    slug,
    some,
    step,
)
from largebatch.report.tables import groups

RATIO_SIZES = 3  # most batch sizes whose trust ratios are drawn


def trust_ratios(of_line: Mapping[str, pd.DataFrame]) -> Iterator[Drawing]:
    """Trust ratios of all layers against epochs: a figure per line that has any, and some batch sizes."""
    for name, part in of_line.items():
        ratios = _values([part], "trust_ratio")
        if np.isin(ratios[np.isfinite(ratios)], 1).all() or part["epoch"].nunique() < 2:
            continue  # not an optimizer with a rate of its own for each layer
        frame = _Frame.around([part], "trust_ratio")
        for size in some(sorted(set(part["batch_size"])), RATIO_SIZES):
            yield Drawing(
                f"trust-ratios-{slug(name)}-b{size}",
                "trust-ratios",
                f"{name}: trust ratios at batch size {size}",
                f"The local rate of each layer, at the last update of an epoch{over_seeds(part)}.",
                partial(_draw, part=part[part["batch_size"] == size], frame=frame),
            )


def gradient_norms(of_line: Mapping[str, pd.DataFrame]) -> Iterator[Drawing]:
    """Gradient norms of all layers against epochs: a figure per line, at its largest batch size."""
    largest = {name: _largest(part) for name, part in of_line.items() if groups(part)}
    curves = {
        name: part
        for name, part in largest.items()
        if len(part) and np.isfinite(_values([part], "gradient_norm")).any()
    }
    if not curves:
        return
    frame = _Frame.around(curves.values(), "gradient_norm")
    for name, part in curves.items():
        yield Drawing(
            f"gradient-norms-{slug(name)}",
            "gradient-norms",
            f"{name}: gradient norms at batch size {part['batch_size'].iloc[0]}",
            f"The norm of each layer's gradient, at the last update of an epoch{over_seeds(part)}.",
            partial(_draw, part=part, frame=frame),
        )


def _largest(part: pd.DataFrame) -> pd.DataFrame:
    """The rows of the largest batch size that has two epochs or more."""
    epochs = part.groupby("batch_size")["epoch"].nunique()
    return part[part["batch_size"].eq(epochs[epochs > 1].index.max())]


@dataclass(frozen=True)
class _Frame:
    """What is drawn of each layer, and the scales that figures share, so that they can be compared."""

    measure: str  # a column of tables.epochs, behind the layer's name
    lowest: float
    highest: float
    epochs: int

    @classmethod
    def around(cls, parts: Iterable[pd.DataFrame], measure: str) -> _Frame:
        several = list(parts)
        values = _values(several, measure)
        epochs = max(int(part["epoch"].max()) for part in several)
        return cls(measure, float(np.nanmin(values)), float(np.nanmax(values)), epochs)


def _values(parts: Iterable[pd.DataFrame], measure: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """All values of a measure that a logarithmic axis can show; others are NaN."""
    found = [
        part[[f"{name}_{measure}" for name in groups(part)]].to_numpy(dtype=float).ravel() for part in parts
    ]
    values = np.concatenate(found)
    return np.where((values > 0) & np.isfinite(values), values, math.nan)


def _draw(ax: Axes, part: pd.DataFrame, frame: _Frame) -> None:
    names = groups(part)
    for index, name in enumerate(names):
        means = part.groupby("epoch")[f"{name}_{frame.measure}"].mean()
        if means.notna().any():
            ax.plot(means.index, means, label=name, **step(index, len(names), len(means)))
    ax.set_yscale("log")
    ax.set_ylim(frame.lowest / 1.3, frame.highest * 1.3)
    ax.yaxis.set_major_locator(log_ticks(frame.highest / frame.lowest))
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.yaxis.set_minor_locator(NullLocator())
    epoch_axis(ax, frame.epochs)
    ax.set_ylabel(frame.measure.replace("_", " "))
    legend(ax, columns=5 if len(names) <= 5 else 3)
