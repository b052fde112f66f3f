"""Trust ratios of the layers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
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
        ratios = part[[f"{group}_trust_ratio" for group in groups(part)]].replace([0, math.inf], math.nan)
        if ratios.isin([1, math.nan]).all(axis=None) or part["epoch"].nunique() < 2:
            continue  # not an optimizer with a rate of its own for each layer
        values = ratios.to_numpy(dtype=float)
        frame = _Frame(float(np.nanmin(values)), float(np.nanmax(values)), int(part["epoch"].max()))
        for size in some(sorted(set(part["batch_size"])), RATIO_SIZES):
            yield Drawing(
                f"trust-ratios-{slug(name)}-b{size}",
                "trust-ratios",
                f"{name}: trust ratios at batch size {size}",
                f"The local rate of each layer, at the last update of an epoch{over_seeds(part)}.",
                partial(_draw_ratios, part=part[part["batch_size"] == size], frame=frame),
            )


@dataclass(frozen=True)
class _Frame:
    """The scales that the figures of a line's trust ratios share, so that they can be compared."""

    lowest: float
    highest: float
    epochs: int


def _draw_ratios(ax: Axes, part: pd.DataFrame, frame: _Frame) -> None:
    names = groups(part)
    for index, name in enumerate(names):
        means = part.groupby("epoch")[f"{name}_trust_ratio"].mean()
        if means.notna().any():
            ax.plot(means.index, means, label=name, **step(index, len(names), len(means)))
    ax.set_yscale("log")
    ax.set_ylim(frame.lowest / 1.3, frame.highest * 1.3)
    ax.yaxis.set_major_locator(log_ticks(frame.highest / frame.lowest))
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.yaxis.set_minor_locator(NullLocator())
    epoch_axis(ax, frame.epochs)
    ax.set_ylabel("trust ratio")
    legend(ax, columns=5 if len(names) <= 5 else 3)
