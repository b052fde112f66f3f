"""evaluations.csv: accuracies within epochs, and the snapshots of the weights that they are taken from.

The server writes the weights after every `evaluate_every` updates into snapshots/UPDATE. After the epoch they
are evaluated and removed, and each becomes a row: updates, epoch and seconds of training until then, part of
the data, loss in nats, accuracy. Epochs and seconds are read off metrics.csv, on a straight line between the
ends of epochs.
"""

from __future__ import annotations

import contextlib
import io
import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from largebatch.files.names import numbered
from largebatch.files.safe import read_parsed, write_atomically

COLUMNS = ("updates", "epoch", "seconds", "part", "loss", "accuracy")
EVALUATED = ("validation", "test")  # parts of the data: the first one that there is
MAX_EVALUATIONS = 64 * 2**20  # bytes of evaluations.csv; a row has about 80
_KINDS = dict.fromkeys(COLUMNS, "float64") | {"updates": "int64", "part": "str"}


def no_evaluations() -> pd.DataFrame:
    """The table of a run that is evaluated after its epochs only."""
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in _KINDS.items()})


def parse_evaluations(data: bytes) -> pd.DataFrame:
    """The rows of evaluations.csv. Raises ValueError; its text goes on after the file's name."""
    try:
        table = pd.read_csv(io.BytesIO(data), dtype=_KINDS)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"can't be read: {error}") from error
    if tuple(table) != COLUMNS or not table["part"].isin(EVALUATED).all():
        raise ValueError(f"must have the columns {', '.join(COLUMNS)}, with parts {' and '.join(EVALUATED)}")
    if not table["updates"].is_monotonic_increasing or not table["accuracy"].between(0, 1).all():
        raise ValueError("has updates out of order, or accuracies that are not from 0 to 1")
    return table


class Evaluations:
    """The evaluations within epochs of the run in a folder."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "evaluations.csv"
        self._snapshots = folder / "snapshots"

    def table(self) -> pd.DataFrame:
        """The rows, none without the file. Raises UserError if it is damaged."""
        return read_parsed(self.file, MAX_EVALUATIONS, parse_evaluations, no_evaluations)

    def waiting(self) -> list[int]:
        """The updates after which there is a snapshot to evaluate."""
        return numbered(self._snapshots)

    def weights(self, update: int) -> Path:
        """The weights in a snapshot, as SystemDS wrote them."""
        return self._snapshots / str(update) / "weights"

    def add(self, metrics: pd.DataFrame, update: int, part: str, loss: float, accuracy: float) -> None:
        """Record what a snapshot gave, and remove it; `metrics` has the epoch in which it was taken."""
        table = self.table()
        if update not in set(table["updates"]):
            row = (update, *_place(metrics, update), part, loss, accuracy)
            table = pd.concat([table, pd.DataFrame([row], columns=list(COLUMNS))]).sort_values("updates")
            write_atomically(self.file, table.to_csv(index=False).encode())
        self._remove(update)

    def rewind(self, updates: int) -> None:
        """Remove everything after a number of updates: the run goes on from there."""
        for update in self.waiting():
            if update > updates:
                self._remove(update)
        if self.file.exists():
            table = self.table()
            kept = table[table["updates"] <= updates]
            if len(kept) < len(table):
                write_atomically(self.file, kept.to_csv(index=False).encode())

    def _remove(self, update: int) -> None:
        shutil.rmtree(self._snapshots / str(update))
        with contextlib.suppress(OSError):  # others are left
            self._snapshots.rmdir()


def _place(metrics: pd.DataFrame, update: int) -> tuple[float, float]:
    """Epochs and seconds of training until an update."""
    updates = [0, *metrics["updates"]]
    seconds = [0.0, *metrics["seconds"].cumsum()]
    epochs = [0, *metrics["epoch"]]
    return float(np.interp(update, updates, epochs)), float(np.interp(update, updates, seconds))
