"""Steps to target accuracies: a row per run and target, and their medians per line and batch size. Pure.

A target that a run never reached has no steps; in a median it counts as infinitely many.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from largebatch.records.reading import RunRecord, StudyRecord
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
    return pd.DataFrame(columns=[*_RUN, "target", "part", *MEASURES])


def steps(study: StudyRecord, wanted: Sequence[float]) -> pd.DataFrame:
    """A row per target and ended run: `_RUN`, target, part, and MEASURES, missing if it was never reached."""
    of_run = tables.lines(study)
    rows = [
        {**_whose(run, of_run[run.name].name), **_reached(run, target)}
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
    """A row per target, line and batch size: runs, how many reached it, and MEASURES with _min and _max."""
    rows = []
    for (target, line, size), group in steps_table.groupby(["target", "line", "batch_size"], sort=False):
        row: dict[str, Any] = {"target": target, "line": line, "batch_size": size, "runs": len(group)}
        row["reached"] = int(group["updates"].notna().sum())
        for name in MEASURES:
            row[name] = float(np.median(group[name].fillna(math.inf)))
            row |= {f"{name}_min": group[name].min(), f"{name}_max": group[name].max()}
        rows.append(row)
    columns = [f"{name}{end}" for name in MEASURES for end in ("", "_min", "_max")]
    table = pd.DataFrame(rows, columns=["target", "line", "batch_size", "runs", "reached", *columns])
    return table.sort_values(["target", "batch_size"], kind="stable", ignore_index=True)


def knee(of_line: pd.DataFrame) -> int | None:
    """The batch size from which larger ones stop paying, of one line and target; None if none does.

    It is the largest that takes at most twice the examples of the best one, where a larger one was tried.
    """
    examples = dict(zip(of_line["batch_size"], of_line["updates"] * of_line["batch_size"], strict=True))
    fewest = min(examples.values(), default=math.inf)
    if math.isinf(fewest):
        return None
    paying = [int(size) for size, count in examples.items() if count <= MOST_EXAMPLES * fewest]
    return max(paying) if max(paying) < max(examples) else None


def profile(medians_table: pd.DataFrame) -> pd.DataFrame:
    """Performance profile of one target (Dolan and More 2002): line, ratio, share.

    The ratio of a line at a batch size is that of its updates to the fewest of any line there. The share is
    that of the batch sizes, of all that a line reached, at which the line's ratio is at most `ratio`.
    """
    lines = list(dict.fromkeys(medians_table["line"]))
    wide = medians_table.pivot(index="batch_size", columns="line", values="updates")[lines]
    wide = wide.dropna().replace(math.inf, np.nan).dropna(how="all")
    ratios = wide.div(wide.min(axis=1), axis=0)
    rows = [
        {"line": line, "ratio": ratio, "share": float((ratios[line] <= ratio).mean())}
        for line in ratios
        for ratio in sorted({1.0, *ratios[line].dropna()})
    ]
    return pd.DataFrame(rows, columns=["line", "ratio", "share"])
