"""Fixed epochs beside fixed updates: test accuracy of tuned optimizers in each budget."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from largebatch.records.result import Status
from largebatch.report.figures.batch_size import batch_size_axis
from largebatch.report.figures.style import Drawing, category, legend, percent, slug
from largebatch.settings.optimizers import OPTIMIZERS

SECTION = "budgets"


def budgets(results: pd.DataFrame) -> Iterator[Drawing]:
    """A figure per budget of the final runs (tuning.table.finals), where there are several; of one scale."""
    diverged = results["status"] == Status.DIVERGED
    known = results.assign(test_accuracy=results["test_accuracy"].mask(diverged, 0.0))
    ended = known[known["test_accuracy"].notna()]
    if ended["budget"].nunique() < 2:
        return
    names = list(dict.fromkeys(ended["optimizer"]))
    keys = ["budget", "optimizer", "batch_size"]
    cells = ended.groupby(keys)["test_accuracy"].agg(["median", "min", "max"]).reset_index()
    low = float(cells["min"].min()) - 0.02
    for budget in dict.fromkeys(ended["budget"]):
        part = cells[cells["budget"] == budget]
        yield Drawing(
            f"equal-{slug(str(budget))}",
            SECTION,
            f"Test accuracy at equal {budget} against batch size",
            "Each optimizer with its tuned settings. Median over the seeds, with the lowest and the highest; "
            "a diverged seed counts as 0.",
            partial(_draw, part=part, names=names, low=low),
        )


def _draw(ax: Axes, part: pd.DataFrame, names: list[str], low: float) -> None:
    for index, name in enumerate(names):
        of_line = part[part["optimizer"] == name]
        look = category(index)
        ax.plot(of_line["batch_size"], of_line["median"], label=OPTIMIZERS[name].title, **look)
        ends = [of_line["median"] - of_line["min"], of_line["max"] - of_line["median"]]
        ax.errorbar(
            of_line["batch_size"], of_line["median"], ends, fmt="none", ecolor=look["color"], elinewidth=1,
            capsize=2.5,
        )  # fmt: skip
    ax.set_ylim(low, 1.005)
    ax.yaxis.set_major_formatter(percent)
    ax.set_ylabel("test accuracy")
    batch_size_axis(ax, sorted(set(part["batch_size"].astype(int))))
    legend(ax, columns=2)
