"""Tidy tables of a study: a row per run, per run and epoch, per line of a figure and batch size. All pure.

A *line* is drawn as one line of a figure: runs that differ only in batch size and seed. Its name is the
optimizer's, with the settings that tell it from other lines of the same optimizer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from largebatch.records.metrics import GROUP_COLUMNS
from largebatch.records.reading import RunRecord, StudyRecord
from largebatch.records.result import Status
from largebatch.settings.optimizers import OPTIMIZERS
from largebatch.settings.study import telling
from largebatch.settings.training import Training
from largebatch.settings.values import declared

MEASURES = (
    "train_accuracy", "validation_accuracy", "test_accuracy", "generalization_error", "median_epoch_seconds",
)  # fmt: skip
# Accuracies by which lines may be compared, the best first.
HEADLINES = ("test_accuracy", "validation_accuracy", "train_accuracy")
EPOCHS_SHOWN = (1, 2, 5, 10, 20, 50, 100)
Middle = Literal["mean", "median"]
_WITHIN_A_LINE = ("optimizer", "batch_size", "seed")


@dataclass(frozen=True)
class Line:
    """Runs that differ only in batch size and seed; `settings` tell it from the optimizer's other lines."""

    name: str
    optimizer: str
    settings: Mapping[str, Any]


def shown(value: Any) -> str:
    """A setting as text."""
    if isinstance(value, float):
        return f"{value:g}"
    return ",".join(map(shown, value)) if isinstance(value, (list, tuple)) else str(value)


# ---- lines ----


def lines(study: StudyRecord) -> dict[str, Line]:
    """The line of every run, by the run's name."""
    trainings = [run.training for run in study.runs]
    return {run.name: _line(run.training, _free(run.training.optimizer, trainings)) for run in study.runs}


def _free(optimizer: str, trainings: Sequence[Training]) -> list[str]:
    """Settings of which an optimizer has several values at one batch size."""
    settings: dict[int, list[dict[str, Any]]] = {}
    for training in trainings:
        if training.optimizer == optimizer:
            settings.setdefault(training.batch_size, []).append(training.to_mapping())
    names = telling((name for name in declared(Training) if name not in _WITHIN_A_LINE), trainings)
    return [
        name
        for name in names
        if any(len({shown(values[name]) for values in same}) > 1 for same in settings.values())
    ]


def _line(training: Training, free: Sequence[str]) -> Line:
    values = {name: getattr(training, name) for name in free}
    title = OPTIMIZERS[training.optimizer].title
    words = (f"{name.replace('_', ' ')} {shown(value)}" for name, value in values.items())
    return Line(", ".join([title, *words]), training.optimizer, values)


# ---- a row per run ----


def results(study: StudyRecord) -> pd.DataFrame:
    """A row per run. Accuracies and losses are missing for runs that did not finish."""
    of_run = lines(study)
    rows = [result(run, of_run[run.name].name) for run in study.runs]
    if not any("validation_accuracy" in run.metrics for run in study.runs):
        rows = [{k: v for k, v in row.items() if not k.startswith("validation_")} for row in rows]
    table = pd.DataFrame(rows, columns=list(rows[0]) if rows else ["name"])
    counts = [name for name in ("epochs_done", "updates") if name in table]
    return table.astype(dict.fromkeys(counts, "Int64"))


def result(run: RunRecord, line: str) -> dict[str, Any]:
    """The row of one run."""
    metrics = run.metrics
    last = metrics.iloc[-1] if len(metrics) else None
    ended = last if run.status == Status.FINISHED else None
    settings = {k: shown(v) if isinstance(v, list) else v for k, v in run.training.to_mapping().items()}
    seconds = float(metrics["seconds"].sum())
    return {
        "name": run.name,
        "folder": run.folder,
        "line": line,
        **settings,
        "status": run.status.value,
        "reason": run.reason,
        "epochs_done": len(metrics),
        "updates": 0 if last is None else int(last["updates"]),
        **{
            name: _value(ended, name)
            for name in (
                "train_accuracy",
                "test_accuracy",
                "train_loss",
                "test_loss",
                "validation_accuracy",
                "validation_loss",
            )
        },
        "generalization_error": _value(ended, "train_accuracy") - _value(ended, "test_accuracy"),
        "training_seconds": seconds if len(metrics) else np.nan,
        "evaluation_seconds": float(metrics["evaluation_seconds"].sum()) if len(metrics) else np.nan,
        "median_epoch_seconds": float(metrics["seconds"].median()) if len(metrics) else np.nan,
        "images_per_second": _value(last, "examples") / seconds if seconds else np.nan,
    }


def _value(row: pd.Series[Any] | None, name: str) -> float:
    return np.nan if row is None or name not in row else float(row[name])


def headline(table: pd.DataFrame) -> str:
    """The accuracy by which lines are compared: the first of HEADLINES that has values."""
    there = [name for name in HEADLINES if name in table and table[name].notna().any()]
    return there[0] if there else HEADLINES[0]


def line_names(results_table: pd.DataFrame) -> list[str]:
    """Names of the lines, in the study's order."""
    return list(dict.fromkeys(results_table["line"])) if len(results_table) else []


# ---- a row per run and epoch ----


def epochs(study: StudyRecord) -> pd.DataFrame:
    """A row per run and epoch: columns that name the run, then those of metrics.csv.

    `elapsed_seconds` counts training since the start, without evaluation.
    """
    of_run = lines(study)
    parts = [_epochs(run, of_run[run.name]) for run in study.runs if len(run.metrics)]
    if not parts:
        return pd.DataFrame(columns=["name", "line", "optimizer", "batch_size", "seed", "epoch"])
    return pd.concat(parts, ignore_index=True)


def _epochs(run: RunRecord, line: Line) -> pd.DataFrame:
    whose: dict[str, Any] = {
        "name": run.name,
        "line": line.name,
        "optimizer": line.optimizer,
        "batch_size": run.training.batch_size,
        "seed": run.training.seed,
    }
    table = run.metrics.assign(
        generalization_error=run.metrics["train_accuracy"] - run.metrics.get("test_accuracy", np.nan),
        elapsed_seconds=run.metrics["seconds"].cumsum(),
        **whose,
    )
    return table[[*whose, *(name for name in table if name not in whose)]]


def groups(epochs_table: pd.DataFrame) -> list[str]:
    """Names of the layers (or arrays) with trust ratios in the table, in the network's order."""
    ending = f"_{GROUP_COLUMNS[-1]}"
    return [str(name).removesuffix(ending) for name in epochs_table if str(name).endswith(ending)]


# ---- a row per line and batch size ----


def middle(table: pd.DataFrame) -> Middle:
    """What stands for the runs of several seeds: the mean, as in the paper, or of tuned runs the median."""
    return "median" if tunes(table) else "mean"


def tunes(table: pd.DataFrame) -> bool:
    """Whether a table is that of a study that tunes."""
    return "budget" in table


def cells(results_table: pd.DataFrame) -> pd.DataFrame:
    """A row per line and batch size, over the seeds that finished; lines in the study's order.

    `runs` counts them, `names` lists them; a measure is their `middle` with the lowest (_min) and highest
    (_max).
    """
    measures = [name for name in MEASURES if name != "validation_accuracy" or name in results_table]
    columns = [f"{name}{end}" for name in measures for end in ("", "_min", "_max")]
    finished = (
        results_table[results_table["status"] == Status.FINISHED] if len(results_table) else results_table
    )
    rows = [
        {
            "line": line,
            "optimizer": group["optimizer"].iloc[0],
            "batch_size": batch_size,
            **_cell(group, measures, middle(results_table)),
        }
        for (line, batch_size), group in (
            finished.groupby(["line", "batch_size"], sort=False) if len(finished) else ()
        )
    ]
    table = pd.DataFrame(rows, columns=["line", "optimizer", "batch_size", "runs", "names", *columns])
    place = {name: index for index, name in enumerate(line_names(results_table))}
    table = table.assign(place=table["line"].map(place)).sort_values(["place", "batch_size"])
    return table.drop(columns="place").reset_index(drop=True)


def _cell(group: pd.DataFrame, measures: Sequence[str], of_seeds: Middle) -> dict[str, Any]:
    values: dict[str, Any] = {"runs": len(group), "names": tuple(group["name"])}
    for name in measures:
        values |= {
            name: group[name].agg(of_seeds),
            f"{name}_min": group[name].min(),
            f"{name}_max": group[name].max(),
        }
    return values


def by_batch_size(cells_table: pd.DataFrame, line: str, measure: str) -> dict[int, Any]:
    """A column of the table of cells for one line, by batch size in rising order, where it has values."""
    part = cells_table[(cells_table["line"] == line) & cells_table[measure].notna()]
    return dict(zip(part["batch_size"].astype(int).tolist(), part[measure].tolist(), strict=True))


def after_epochs(epochs_table: pd.DataFrame, last: int) -> pd.DataFrame:
    """Accuracy (`headline`), the `middle` over the seeds: a row per line and batch size, a column per epoch
    count.
    """
    wanted = [epoch for epoch in EPOCHS_SHOWN if epoch < last] + [last]
    some = epochs_table[epochs_table["epoch"].isin(wanted)]
    table = some.pivot_table(
        index=["line", "batch_size"],
        columns="epoch",
        values=headline(epochs_table),
        aggfunc=middle(epochs_table),
        sort=True,
    )
    return table.reset_index().rename_axis(columns=None)
