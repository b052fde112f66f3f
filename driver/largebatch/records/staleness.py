"""staleness.csv: how stale the gradients of each epoch were, from the matrix `staleness` of a checkpoint.

A row for each epoch, kind of gradient and staleness, with the number of such gradients. The first gradient
of each worker in an epoch is of the kind `first`: where the worker began late, it is as stale as the epoch
was old. All others are `usual`; metrics.csv sums these up.
"""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd

from largebatch.errors import UserError
from largebatch.files.matrices import Matrix, read_matrix
from largebatch.files.safe import read_parsed, write_atomically

KINDS = ("first", "usual")  # 1 and 2 in the matrix
COLUMNS = ("epoch", "kind", "staleness", "count")
MAX_STALENESS = 64 * 2**20  # bytes of staleness.csv; a row has about 20
_COUNTS: dict[str, str] = {name: "int64" for name in COLUMNS if name != "kind"}


def no_gradients() -> pd.DataFrame:
    """The table of a run whose protocol counts no staleness, or before its first epoch has ended."""
    return pd.DataFrame({name: pd.Series(dtype=_COUNTS.get(name, "object")) for name in COLUMNS})


def from_matrix(values: Matrix) -> pd.DataFrame:
    """The rows of staleness.csv. Raises ValueError for values that no run writes."""
    if values.shape[1] != len(COLUMNS) or not set(values[:, 1]) <= {1, 2}:
        raise ValueError("is no count of gradients")
    table = pd.DataFrame(values, columns=list(COLUMNS)).astype(_COUNTS)
    return table.assign(kind=[KINDS[kind - 1] for kind in values[:, 1].astype(int)])


def parse_staleness(data: bytes) -> pd.DataFrame:
    """The rows of staleness.csv. Raises ValueError as `parse_metrics` does."""
    try:
        table = pd.read_csv(io.BytesIO(data), dtype=_COUNTS | {"kind": "str"})
    except (ValueError, OverflowError) as error:
        raise ValueError(f"can't be read: {error}") from error
    if tuple(table) != COLUMNS or not table["kind"].isin(KINDS).all():
        raise ValueError(f"must have the columns {', '.join(COLUMNS)}, with kinds {' and '.join(KINDS)}")
    if (table["epoch"] < 1).any() or (table[["staleness", "count"]] < 0).any(axis=None):
        raise ValueError("has numbers below zero")
    return table


def publish_staleness(checkpoint: Path, file: Path) -> None:
    """Write staleness.csv from a checkpoint, where that has it. Raises UserError for other content."""
    matrix = checkpoint / "staleness"
    if not matrix.exists():
        return
    try:
        table = from_matrix(read_matrix(matrix))
    except (ValueError, OverflowError) as error:
        raise UserError(f"{matrix} is no count of gradients: remove {checkpoint}") from error
    write_atomically(file, table.to_csv(index=False).encode())


def read_staleness(file: Path) -> pd.DataFrame:
    """The rows of staleness.csv; none without the file. Raises UserError if it is damaged."""
    return read_parsed(file, MAX_STALENESS, parse_staleness, no_gradients)
