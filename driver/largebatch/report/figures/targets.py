"""Steps to a target accuracy against the batch size, and how close each line comes to the fewest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator
from matplotlib.transforms import ScaledTranslation

from largebatch.report import svg
from largebatch.report.figures.batch_size import batch_size_axis, draw_line
from largebatch.report.figures.style import Drawing, category, legend, log_axis, log_ticks, percent, slug
from largebatch.report.targets.steps import MEASURES, knee, profile

SECTION = "targets"
CROSS_POINTS = 6.0  # between the crosses of two lines at one batch size
_LABELS = {
    "updates": "updates to the target",
    "epoch": "epochs to the target",
    "seconds": "seconds to the target",
}
# How a measure falls with the batch size if every row counts as much in a larger batch: as its power.
_PERFECT = {"updates": -1, "epoch": 0}


def to_target(medians: pd.DataFrame) -> Iterator[Drawing]:
    """A figure for each measure of the table (steps.medians), for each target that some run reached."""
    for target, part in medians.groupby("target"):
        if not part["reached"].any() or part["batch_size"].nunique() < 2:
            continue
        share = f"{100 * float(str(target)):g}%"
        for measure in MEASURES:
            word = _LABELS[measure].removesuffix(" to the target").capitalize()
            yield Drawing(
                f"{measure}-to-{slug(share)}",
                SECTION,
                f"{word} to {share} against batch size",
                _caption(measure, part),
                partial(_draw_steps, part=part, measure=measure),
            )
        found = profile(part)
        if len(found):
            yield Drawing(
                f"profile-{slug(share)}",
                SECTION,
                f"Performance profile to {share}",
                _of_profile(part, found),
                partial(_draw_profile, found=found),
            )


def _caption(measure: str, part: pd.DataFrame) -> str:
    words = []
    if (part["runs"] > 1).any():
        words.append("Median over the seeds, with the lowest and the highest of those that reached it.")
    if measure in _PERFECT:
        words.append("Grey: perfect scaling, at which every row counts as much in a larger batch.")
    if measure == "updates":
        words.append("A ring: the knee, the largest batch size that takes at most twice the fewest examples.")
    if (part["reached"] * 2 <= part["runs"]).any():
        words.append("A cross at the top: not reached, by half of the runs or more.")
    return " ".join(words)


def _of_profile(part: pd.DataFrame, found: pd.DataFrame) -> str:
    words = (
        "At how many of the batch sizes a line takes at most so many times the updates of the best line "
        "there. Higher is better; the left end counts where it is the best."
    )
    left_out = [line for line in dict.fromkeys(part["line"]) if line not in set(found["line"])]
    return f"{words} Not run at every batch size: {', '.join(left_out)}." if left_out else words


def _draw_steps(ax: Axes, part: pd.DataFrame, measure: str) -> None:
    names = list(dict.fromkeys(part["line"]))
    sizes = sorted(set(part["batch_size"].astype(int)))
    for index, name in enumerate(names):
        # Crosses lie side by side: several lines may miss the target at one batch size.
        aside = CROSS_POINTS * (index - (len(names) - 1) / 2)
        _draw_line(ax, part[part["line"] == name], measure, {**category(index), "label": name}, aside)
    _draw_perfect(ax, part, measure)
    log_axis(ax)
    ax.set_ylim(bottom=max(ax.get_ylim()[0], float(part[f"{measure}_min"].min()) / 2))
    ax.set_ylabel(_LABELS[measure])
    batch_size_axis(ax, sizes)
    legend(ax, columns=2 if len(names) < 5 and max(map(len, names)) < 24 else 1)


def _draw_line(ax: Axes, of_line: pd.DataFrame, measure: str, look: Mapping[str, Any], aside: float) -> None:
    there = of_line[np.isfinite(of_line[measure])]
    draw_line(ax, there, measure, "reached", look)
    never = of_line[~np.isfinite(of_line[measure])]["batch_size"]
    top = ax.get_xaxis_transform() + ScaledTranslation(aside / 72, 0, ax.figure.dpi_scale_trans)
    ax.plot(never, [0.98] * len(never), "x", color=look["color"], transform=top, clip_on=False)
    at = knee(of_line)
    if measure == "updates" and at is not None:
        height = of_line.loc[of_line["batch_size"] == at, measure]
        ax.plot([at], height, "o", markersize=11, fillstyle="none", color=look["color"])


def _draw_perfect(ax: Axes, part: pd.DataFrame, measure: str) -> None:
    """From the best line at the smallest batch size that reached the target."""
    finite = part[np.isfinite(part[measure])]
    if measure not in _PERFECT or finite.empty:
        return
    first = finite["batch_size"].min()
    start = finite.loc[finite["batch_size"] == first, measure].min()
    sizes = np.array([first, part["batch_size"].max()], dtype=float)
    ends = start * (sizes / first) ** _PERFECT[measure]
    ax.plot(sizes, ends, color=svg.TEXT, linewidth=0.9, alpha=0.6, linestyle=(0, (4, 3)), zorder=1)


def _draw_profile(ax: Axes, found: pd.DataFrame) -> None:
    names = list(dict.fromkeys(found["line"]))
    furthest = max(2.0, 1.1 * float(found["ratio"].max()))
    for index, name in enumerate(names):
        of_line = found[found["line"] == name]
        ratios, shares = [*of_line["ratio"], furthest], [*of_line["share"], of_line["share"].iloc[-1]]
        look = category(index) | {"marker": None}
        ax.step(ratios, shares, where="post", label=name, **look)
    ax.set_xscale("log", base=2)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_locator(log_ticks(furthest))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.set_xlim(1 / furthest**0.03, furthest)
    ax.set_ylim(-0.03, 1.05)
    ax.yaxis.set_major_formatter(percent)
    ax.set_xlabel("times the updates of the best line")
    ax.set_ylabel("batch sizes")
    legend(ax, columns=2 if len(names) < 5 and max(map(len, names)) < 24 else 1)
