"""metrics.csv: a row per epoch, made from the matrix that train.dml writes with each checkpoint."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from largebatch.files.matrices import Matrix
from largebatch.files.safe import no_link, text_of
from largebatch.records.noise import with_noise_scale
from largebatch.settings.networks import Network

EPOCH_COLUMNS = (  # of train.dml's matrix, in a folder without the file `columns`
    "epoch", "updates", "examples", "learning_rate", "train_loss", "train_accuracy", "test_loss",
    "test_accuracy", "seconds", "evaluation_seconds",
)  # fmt: skip
GROUP_COLUMNS = ("weight_norm", "gradient_norm", "trust_ratio")
PARTS = ("train", "validation", "test")  # of the data; a run may lack the last two
MAX_METRICS = 64 * 2**20  # bytes of metrics.csv; a row has about 500
MAX_COLUMNS = 1000
_REQUIRED = tuple(name for name in EPOCH_COLUMNS if not name.startswith("test_"))
_COUNTS = ("updates", "examples")
_RANGES = (  # of the columns that reports calculate with; losses may have any value
    (_COUNTS, 1, 2**53),
    (tuple(f"{part}_accuracy" for part in PARTS), 0, 1),
    (("seconds",), 1e-9, 1e9),
    (("evaluation_seconds",), 0, 1e9),
)
_OF_GROUP = re.compile(r"([1-9][0-9]{0,3})\.(\w+)")


# ---- from train.dml ----


def parse_columns(data: bytes) -> list[str]:
    """The names in the file `columns`. Raises ValueError for other content."""
    names = data.decode().strip().split(",")
    if not all(re.fullmatch(r"[\w.]+", name) for name in names) or len(set(names)) < len(names):
        raise ValueError("columns must be different names, separated by commas")
    return names


def from_matrix(values: Matrix, columns: Sequence[str] | None, network: Network) -> pd.DataFrame:
    """The rows of metrics.csv. Without `columns` they are those of EPOCH_COLUMNS, then of all groups.

    Raises ValueError or OverflowError for values that no run writes.
    """
    if columns is None:
        groups = (values.shape[1] - len(EPOCH_COLUMNS)) // len(GROUP_COLUMNS)
        columns = [*EPOCH_COLUMNS, *(f"{g + 1}.{name}" for g in range(groups) for name in GROUP_COLUMNS)]
    table = pd.DataFrame(values, columns=_by_group_name(columns, network))
    missing = [name for name in _REQUIRED if name not in table]
    if missing:
        raise ValueError(f"lacks {', '.join(missing)}")
    # astype makes a block of each column; pandas warns of hundreds, and copy joins them
    table = table.astype(dict.fromkeys(("epoch", *_COUNTS), "int64")).copy()
    of_epoch = table["examples"].diff().fillna(table["examples"])
    place = list(table).index("seconds") + 1
    table.insert(place, "images_per_second", of_epoch / table["seconds"])
    return with_noise_scale(table)


def _by_group_name(columns: Sequence[str], network: Network) -> list[str]:
    """The columns, with the names of layers or arrays in place of the groups' numbers."""
    found = [_OF_GROUP.fullmatch(name) for name in columns]
    groups = {int(match[1]) for match in found if match}
    names = network.layers if len(groups) == len(network.layers) else network.arrays
    if groups and groups != set(range(1, len(names) + 1)):
        raise ValueError(f"has {len(groups)} groups")
    return [
        f"{names[int(match[1]) - 1]}_{match[2]}" if match else name
        for match, name in zip(found, columns, strict=True)
    ]


def append(file: Path, table: pd.DataFrame) -> None:
    """Bring metrics.csv up to the epochs of a table: append the rows that it lacks."""
    have = 0
    if file.exists():
        have = max(file.read_bytes().count(b"\n") - 1, 0)
    with open(file, "a", encoding="utf-8", newline="", opener=no_link) as stream:
        table.iloc[have:].to_csv(stream, index=False, header=have == 0)
        stream.flush()
        os.fsync(stream.fileno())


# ---- from metrics.csv ----


def no_epochs() -> pd.DataFrame:
    """The table of a run before its first epoch has ended."""
    return pd.DataFrame(columns=list(EPOCH_COLUMNS))


def parse_metrics(data: bytes) -> pd.DataFrame:
    """The rows of metrics.csv, without a last line that is still being written.

    Raises ValueError for content that no run writes; its text continues a sentence that begins with the
    file's name.
    """
    lines = data[: data.rfind(b"\n") + 1].splitlines()
    if not lines:
        return no_epochs()
    if len({line.count(b",") for line in lines}) > 1:
        raise ValueError("has rows of unequal length")
    if lines[0].count(b",") >= MAX_COLUMNS:
        raise ValueError(f"has more than {MAX_COLUMNS} columns")
    try:
        names, *rows = [text_of(line).split(",") for line in lines]
    except ValueError as error:
        raise ValueError(f"can't be read: {error}") from error
    _check_names(names)
    table = _numbers(names, rows)
    _check_values(table)
    return table.astype(dict.fromkeys(("epoch", *_COUNTS), "int64")).copy()


def _numbers(names: Sequence[str], rows: Sequence[Sequence[str]]) -> pd.DataFrame:
    """Cells as numbers, every double exactly (not every version of pandas reads so); empty ones are NaN."""
    values: dict[str, list[float]] = {}
    texts = []
    for name, cells in zip(names, zip(*rows, strict=True) if rows else [()] * len(names), strict=True):
        try:
            values[name] = [float(cell or "nan") for cell in cells]
        except ValueError:
            texts.append(name)
    if texts:
        raise ValueError(f"has values that are no numbers in {', '.join(texts)}")
    return pd.DataFrame(values, dtype="float64")


def _check_names(names: Sequence[str]) -> None:
    missing = [column for column in _REQUIRED if column not in names]
    for part in PARTS[1:]:
        pair = (f"{part}_loss", f"{part}_accuracy")
        missing += [name for name in pair if name not in names and any(other in names for other in pair)]
    if missing:
        raise ValueError(f"lacks {', '.join(missing)}")
    if len(set(names)) < len(names):
        raise ValueError("has a column twice")


def _check_values(table: pd.DataFrame) -> None:
    if list(table["epoch"]) != list(range(1, len(table) + 1)):
        raise ValueError("does not have the epochs 1, 2, 3 ... in this order")
    needed = [name for name in table if name == "seconds" or str(name).endswith("_accuracy")]
    if table[needed].isna().any(axis=None):
        raise ValueError("has empty accuracies or seconds")
    for names, low, high in _RANGES:
        for name in names:
            if name in table and not table[name].between(low, high).all():
                raise ValueError(f"has {name} that are not from {low:g} to {high:g}")
