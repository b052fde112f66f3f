"""The gradient noise scale over training, and the batch size beyond which a larger one stops paying."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from largebatch.report import svg
from largebatch.report.figures.style import (
    Drawing,
    epoch_axis,
    legend,
    log_axis,
    over_seeds,
    slug,
    some,
    step,
)

SECTION = "noise-scale"
SIZES = 6  # most batch sizes in a figure


def noise_scales(of_line: Mapping[str, pd.DataFrame], knees: Mapping[str, int | None]) -> Iterator[Drawing]:
    """A figure per line that has a noise scale; `knees` are those that were measured, by line."""
    for name, part in of_line.items():
        if "noise_scale" not in part or part["noise_scale"].notna().sum() < 2:
            continue
        at = knees.get(name)
        measured = f" Dashed: the knee that was measured, {at}." if at else ""
        end = final(part)
        expected = (
            f"Dotted: its median at the end, {end:.0f} rows, beyond which a larger batch is expected to stop "
            "paying."
            if np.isfinite(end)
            else "At the end it is larger than could be measured."
        )
        yield Drawing(
            f"noise-scale-{slug(name)}",
            SECTION,
            f"{name}: gradient noise scale",
            f"A line per batch size{over_seeds(part, 'median')}{_of_bands(part)} {expected}{measured}",
            partial(_draw, part=part, at=at),
        )


def final(part: pd.DataFrame) -> float:
    """The median noise scale after the last epoch, over batch sizes and seeds where it was measured."""
    return float(_measured(part).groupby("name")["noise_scale"].last().median())


def _measured(part: pd.DataFrame) -> pd.DataFrame:
    """The epochs of which a noise scale was measured; it is infinite where the noise hides the gradient."""
    scale = part["noise_scale"].mask(part["noise_scale"].isna() & (part["gradient_squared"] <= 0), np.inf)
    return part.assign(noise_scale=scale).dropna(subset=["noise_scale"])


def _bands(part: pd.DataFrame) -> pd.DataFrame:
    """`low` and `high` of each batch size and epoch: the range of several seeds, or the interval of one."""
    low, high = ("noise_scale",) * 2 if _has_seeds(part) else ("noise_scale_low", "noise_scale_high")
    of_epoch = _measured(part).groupby(["batch_size", "epoch"])
    bands = pd.DataFrame({"low": of_epoch[low].min(), "high": of_epoch[high].max()}).dropna()
    nothing = (bands["low"] == np.inf) | (bands["low"] <= 0) & (bands["high"] == np.inf)
    return bands[~nothing].reset_index()


def _has_seeds(part: pd.DataFrame) -> bool:
    return part["seed"].nunique() > 1


def _of_bands(part: pd.DataFrame) -> str:
    """What the caption says of the bands."""
    bands = _bands(part)
    if bands.empty:
        return "."
    what = "their range" if _has_seeds(part) else "its interval at 95 %"
    is_open = (bands["high"] == np.inf).any()
    more = " A band up to the top is open: its upper end could not be measured." if is_open else ""
    return f", with {what}.{more}"


def _draw(ax: Axes, part: pd.DataFrame, at: int | None) -> None:
    known, bands = _measured(part), _bands(part)
    sizes = some(sorted(set(known["batch_size"])), SIZES)
    filled = []
    for index, size in enumerate(sizes):
        of_size, band = known[known["batch_size"] == size], bands[bands["batch_size"] == size]
        medians = of_size.groupby("epoch")["noise_scale"].median().replace(np.inf, np.nan)
        look = step(index, len(sizes), len(medians))
        ax.plot(medians.index, medians, label=str(size), **look)
        for end in ("low", "high"):
            ax.update_datalim(band.loc[np.isfinite(band[end]) & (band[end] > 0), ["epoch", end]].to_numpy())
        filled.append((band, look["color"]))
    if np.isfinite(last := final(part)):
        ax.axhline(last, color=svg.TEXT, linewidth=1, linestyle=(0, (1, 2)))
    if at:
        ax.axhline(at, color=svg.TEXT, linewidth=1, linestyle=(0, (5, 3)))
    log_axis(ax)
    bottom, top = ax.get_ylim()  # where the ends lie that are 0 or infinite
    for band, color in filled:
        low, high = band["low"].clip(lower=bottom), band["high"].clip(upper=top)
        ax.fill_between(band["epoch"], low, high, color=color, alpha=0.15, linewidth=0)
    ax.set_ylim(bottom, top)
    ax.set_ylabel("noise scale, rows")
    epoch_axis(ax, float(known["epoch"].max()))
    legend(ax, columns=SIZES, title="batch size")
