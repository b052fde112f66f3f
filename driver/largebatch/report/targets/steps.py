"""Steps to target accuracies: a row per run and target, and their medians per line and batch size. Pure.

A target that a run never reached has no steps; in a median it counts as infinitely many.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from largebatch.records.reading import RunRecord, StudyRecord
from largebatch.records.result import Status
from largebatch.records.targets import reached
from largebatch.report import tables

MEASURES = ("updates", "epoch", "seconds")
MOST_EXAMPLES = 2.0  # at the knee, in terms of the fewest: the critical batch size of McCandlish et al. 2018
_RUN = ("name", "line", "optimizer", "batch_size", "seed", "status")


def targets(study: StudyRecord) -> list[float]:
    """The target accuracies that the study or a run of it names."""
    named = {target for run in study.runs if run.execution for target in run.execution.target_accuracy}
    return sorted(named | {float(target) for target in study.execution.get("target_accuracy", ())})


def no_steps() -> pd.DataFrame:
    """The table of steps of a study without targets."""
    return pd.DataFrame(columns=[*_RUN, "target", "part", *MEASURES, "epochs"])


def steps(study: StudyRecord, wanted: Sequence[float]) -> pd.DataFrame:
    """A row per target and ended run: `_RUN`, target, part, MEASURES, epochs.

    MEASURES are missing if it was never reached. `epochs` are those that the run was trained for.
    """
    of_run = tables.lines(study)
    rows = [
        {**_whose(run, of_run[run.name].name), **_reached(run, target), "epochs": len(run.metrics)}
        for target in wanted
        for run in study.runs
        if run.ended
    ]
    return pd.DataFrame(rows, columns=list(no_steps()))


def _whose(run: RunRecord, line: str) -> dict[str, Any]:
    training = run.training
    values = (run.name, line, training.optimizer, training.batch_size, training.seed, run.status.value)
    return dict(zip(_RUN, values, strict=True))


def _reached(run: RunRecord, target: float) -> dict[str, Any]:
    found = reached(run.metrics, run.evaluations, target).to_mapping()
    return {"target": target, "part": found["part"]} | {
        name: np.nan if found[name] is None else float(found[name]) for name in MEASURES
    }


def medians(steps_table: pd.DataFrame) -> pd.DataFrame:
    """A row per target, line and batch size: runs, how many reached it, MEASURES with _min and _max, epochs.

    `epochs` is the median of those that runs were trained for; one that diverged will never come further.
    """
    rows = []
    for (target, line, size), group in steps_table.groupby(["target", "line", "batch_size"], sort=False):
        row: dict[str, Any] = {"target": target, "line": line, "batch_size": size, "runs": len(group)}
        row["reached"] = int(group["updates"].notna().sum())
        for name in MEASURES:
            row[name] = float(np.median(group[name].fillna(math.inf)))
            row |= {f"{name}_min": group[name].min(), f"{name}_max": group[name].max()}
        row["epochs"] = float(np.median(group["epochs"].where(group["status"] != Status.DIVERGED, math.inf)))
        rows.append(row)
    columns = [f"{name}{end}" for name in MEASURES for end in ("", "_min", "_max")]
    table = pd.DataFrame(
        rows, columns=["target", "line", "batch_size", "runs", "reached", *columns, "epochs"]
    )
    return table.sort_values(["target", "batch_size"], kind="stable", ignore_index=True)


@dataclass(frozen=True)
class Paying:
    """How far larger batches pay, of one line and target.

    `largest` is the largest batch size that takes at most MOST_EXAMPLES times the fewest examples. Of the
    larger ones that were tried, `beyond` take more, and runs at the `unknown` ended too early to tell.
    """

    largest: int
    beyond: tuple[int, ...]
    unknown: tuple[int, ...]

    @property
    def knee(self) -> int | None:
        """The batch size from which larger ones stop paying; None if none does, or it is not known."""
        stops = self.beyond and self.beyond[0] < min(self.unknown, default=math.inf)
        return self.largest if stops else None


def paying(of_line: pd.DataFrame) -> Paying | None:
    """From the medians of one line and target; None if half of the runs reached it at no batch size.

    Examples are counted in epochs: the last batch of an epoch may be smaller than the others.
    """
    ordered = of_line.sort_values("batch_size")
    needed = dict(zip(ordered["batch_size"].astype(int), ordered["epoch"], strict=True))
    most = MOST_EXAMPLES * min(needed.values(), default=math.inf)
    if math.isinf(most):
        return None
    largest = max(size for size, epochs in needed.items() if epochs <= most)
    trained = dict(zip(needed, ordered["epochs"], strict=True))
    more = {size for size, epochs in needed.items() if min(epochs, trained[size]) > most}
    larger = [size for size in needed if size > largest]
    return Paying(
        largest,
        tuple(size for size in larger if size in more),
        tuple(size for size in larger if size not in more),
    )


def knee(of_line: pd.DataFrame) -> int | None:
    """See `Paying.knee`."""
    found = paying(of_line)
    return found.knee if found else None


def profile(medians_table: pd.DataFrame) -> pd.DataFrame:
    """Performance profile of one target (Dolan and More 2002): line, ratio, share.

    The ratio of a line at a batch size is that of its updates to the fewest of any line there. The share is
    that of the batch sizes, of all that a line reached, at which the line's ratio is at most `ratio`.
    Lines that were not run at every batch size are left out: a share would be one of other batch sizes.
    Empty with fewer than two lines, or two batch sizes that one of them reached.
    """
    lines = list(dict.fromkeys(medians_table["line"]))
    wide = medians_table.pivot(index="batch_size", columns="line", values="updates")[lines]
    wide = wide.dropna(axis="columns").replace(math.inf, np.nan).dropna(how="all")
    if min(wide.shape) < 2:
        wide = wide.iloc[:, :0]
    ratios = wide.div(wide.min(axis=1), axis=0)
    rows = [
        {"line": line, "ratio": ratio, "share": float((ratios[line] <= ratio).mean())}
        for line in ratios
        for ratio in sorted({1.0, *ratios[line].dropna()})
    ]
    return pd.DataFrame(rows, columns=["line", "ratio", "share"])
