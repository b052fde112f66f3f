"""Errors by learning rate and batch size, of studies that tried several rates. Pure."""

from __future__ import annotations

import numpy as np
import pandas as pd

from largebatch.records.result import Status
from largebatch.report import tables
from largebatch.settings.optimizers import OPTIMIZERS

LEAST = 2  # rates of an optimizer at a batch size, at two batch sizes


def errors(results: pd.DataFrame, measure: str = "") -> pd.DataFrame:
    """A row per optimizer (its title), batch size and learning rate: error, diverged, finished.

    results has optimizer, batch_size, learning_rate, status and an accuracy: `measure`, or `tables.headline`.
    The error is one less the median accuracy over the runs that did not diverge, missing without any.
    Optimizers with fewer than LEAST rates are left out.
    """
    columns = ["optimizer", "batch_size", "learning_rate", "error", "diverged", "finished"]
    if "learning_rate" not in results or results.empty:
        return pd.DataFrame(columns=columns)
    measure = measure or tables.headline(results)
    rows = [
        (*key, 1 - group[measure].median(), *_states(group["status"]))
        for key, group in results.groupby(["optimizer", "batch_size", "learning_rate"], sort=False)
        if group[measure].notna().any() or (group["status"] == Status.DIVERGED).any()
    ]
    table = pd.DataFrame(rows, columns=columns)
    if table.empty:
        return table
    table = table[table["optimizer"].map(lambda name: _has_rates(table[table["optimizer"] == name]))]
    return table.assign(optimizer=titled(table["optimizer"])).sort_values(
        ["batch_size", "learning_rate"], ignore_index=True
    )


def _states(status: pd.Series[str]) -> tuple[bool, bool]:
    """Whether most runs of a cell diverged, and whether one finished."""
    diverged = bool((status == Status.DIVERGED).mean() >= 0.5)
    return diverged, bool((status == Status.FINISHED).any()) and not diverged


def _has_rates(part: pd.DataFrame) -> bool:
    return int((part.groupby("batch_size")["learning_rate"].nunique() >= LEAST).sum()) >= LEAST


def titled(optimizers: pd.Series[str]) -> pd.Series[str]:
    """The names of optimizers as reports show them."""
    return optimizers.map(lambda name: OPTIMIZERS[name].title if name in OPTIMIZERS else name)


def best(errors_table: pd.DataFrame) -> pd.DataFrame:
    """The rate with the lowest error of each optimizer at each batch size, and whether it is at the edge.

    The columns are those of `errors` and `edge`: of all rates tried there, the lowest or the highest.
    """
    rows = []
    for _, group in errors_table.groupby(["optimizer", "batch_size"], sort=False):
        able = group[group["finished"] & group["error"].notna()]
        if len(able):
            chosen = able.sort_values("error", kind="stable").iloc[0]
            ends = (group["learning_rate"].min(), group["learning_rate"].max())
            rows.append({**chosen.to_dict(), "edge": bool(np.isin(chosen["learning_rate"], ends))})
    return pd.DataFrame(rows, columns=[*errors_table, "edge"])
