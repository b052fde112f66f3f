"""The content of a report, and the tables that page, Markdown and terminal share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from largebatch.records.reading import StudyRecord
from largebatch.report import tables
from largebatch.report.figures import Figure
from largebatch.report.parts import Part
from largebatch.report.readings import Reading
from largebatch.report.summary import Comparison

ABSENT = "\N{EN DASH}"


@dataclass(frozen=True)
class Content:
    """Everything that a report shows."""

    study: StudyRecord
    results: pd.DataFrame
    cells: pd.DataFrame
    epochs: pd.DataFrame
    figures: Sequence[Figure]
    sentences: Sequence[str]
    comparisons: Sequence[Comparison]
    readings: Sequence[Reading]  # none if the study was cut at an epoch
    per_worker: bool
    command: str  # the command that wrote the report
    parts: Sequence[Part] = ()
    by_batch_size: bool = True  # whether results are shown by batch size
    more: Mapping[str, pd.DataFrame] = field(default_factory=dict)  # further files, by name without .csv

    @property
    def is_answered(self) -> bool:
        """Whether a part that leads says which line is the best: then no other table does."""
        return any(part.leads for part in self.parts)


@dataclass(frozen=True)
class Cell:
    """A cell of a table: its text, and the value that its column is sorted by."""

    text: str
    sort: float | str = ""
    note: str = ""
    strong: bool = False


def accuracy_table(cells: pd.DataFrame) -> list[list[Cell]]:
    """Accuracy (`tables.headline`): a row per batch size, a column per line, headings first."""
    measure = tables.headline(cells)
    names = list(dict.fromkeys(cells["line"]))
    rows = [[Cell("batch size"), *(Cell(name) for name in names)]]
    for size, group in cells.groupby("batch_size"):
        of_line = {str(row["line"]): row for _, row in group.iterrows()}
        best = group[measure].max()
        found = (_accuracy_cell(of_line.get(name), measure, best) for name in names)
        rows.append([Cell(str(size)), *found])
    return rows


def _accuracy_cell(row: pd.Series[Any] | None, measure: str, best: float) -> Cell:
    if row is None or pd.isna(row[measure]):
        return Cell(ABSENT)
    note = ""
    if row["runs"] > 1:
        note = f"{row[f'{measure}_min']:.2%} to {row[f'{measure}_max']:.2%}"
    return Cell(f"{row[measure]:.2%}", note=note, strong=row[measure] == best)


def accuracy_title(table: pd.DataFrame) -> str:
    """The title of the accuracies shown of a table, such as "Test accuracy"."""
    return tables.headline(table).replace("_", " ").capitalize()


def after_epochs(content: Content) -> tuple[list[str], list[int], list[list[Cell]]]:
    """Names of lines, numbers of epochs, and a row per batch size with all epochs of every line."""
    epochs = content.epochs
    if epochs.empty or not content.by_batch_size:
        return [], [], []
    table = tables.after_epochs(epochs, int(epochs["epoch"].max()))
    names = [name for name in tables.line_names(content.results) if name in set(epochs["line"])]
    numbers = [column for column in table if isinstance(column, int)]
    values = table.set_index(["line", "batch_size"])
    rows = []
    for size in sorted(set(table["batch_size"])):
        keys = [(name, size) for name in names]
        cells = [values.loc[key, n] if key in values.index else math.nan for key in keys for n in numbers]
        rows.append([Cell(str(size)), *(Cell(ABSENT if math.isnan(v) else f"{v:.2%}") for v in cells)])
    return names, numbers, rows
