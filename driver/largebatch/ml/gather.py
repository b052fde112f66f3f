"""The rows of a DataFrame, on the driver or in files of executors, in an order that depends on them alone."""

from __future__ import annotations

import functools
import hashlib
import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pyspark.sql import DataFrame

from largebatch.data.dataset import BYTE_SCALE, Dataset, Part
from largebatch.data.stored import Array, Piece, Rows, StoredRows, blocks, mapped, taken
from largebatch.errors import RunError, UserError
from largebatch.ml.rows import KINDS, LABELS, pack
from largebatch.ml.survey import Columns, Survey

NAME, TITLE = "dataframe", "the DataFrame"
_CELLS = "kind string, features binary, file string, labels binary, validation binary, bad long"


@dataclass(frozen=True)
class Pixels:
    """Channels, height and width of a row, and the order of its numbers: see `channels_first`."""

    image: tuple[int, int, int]
    order: str


def gather(
    dataset: DataFrame, columns: Columns, found: Survey, pixels: Pixels, folder: Path | None = None
) -> Part:
    """All rows as one part, whose y is 2 * label, plus 1 for a row of the validation part.

    Executors pack the rows into few large cells, which come one partition at a time. With a `folder`, which
    executors must share, they write the features to files there, all partitions at once. Raises UserError for
    features that are not finite, for executors without pandas and without the folder, RunError if the
    DataFrame has other rows than a moment ago.
    """
    where = None if folder is None else str(folder)
    packing = functools.partial(pack, width=found.width, **asdict(pixels), folder=where)
    packed = columns.select(dataset, columns.features.sized(pixels.image)).mapInPandas(packing, _CELLS)
    rows = _Rows(found.rows, found.width) if folder is None else _StoredRows(found.rows, found.width)
    with _told_of_executors(folder):
        cells = packed.toLocalIterator(prefetchPartitions=True) if folder is None else packed.collect()
        for cell in cells:
            rows.add(cell)
    return rows.part(columns)


@contextmanager
def _told_of_executors(folder: Path | None) -> Iterator[None]:
    """Errors of Spark about what executors lack, a package or the folder, are raised as UserError."""
    try:
        yield
    except Exception as error:
        lacking = re.search(r"ModuleNotFoundError: No module named '([\w.]+)'", str(error))
        refused = re.search(r"(?:OSError|Error): \[Errno \d+\] ([^:\n]+)", str(error))
        if lacking is not None:
            raise UserError(
                f"the Python of executors has no {lacking[1]}: install numpy, pandas and pyarrow there, or "
                "name another Python by PYSPARK_PYTHON"
            ) from error
        if folder is not None and refused is not None:
            raise UserError(
                f"executors cannot write {folder}, which they must share with this machine: {refused[1]}; "
                "set XDG_CACHE_HOME to such a folder"
            ) from error
        raise


class _Rows:
    """Rows that come in pieces. The numbers are stored as the least of KINDS that has all of them exactly."""

    def __init__(self, rows: int, width: int) -> None:
        self._y: Array = np.empty(rows, np.uint16)
        self._done = 0
        self._bad = 0
        self._begin(width)

    def add(self, cell: Any) -> None:
        labels = np.frombuffer(cell.labels, LABELS)
        last = self._done + len(labels)
        if last > len(self._y):
            raise _changed(len(self._y))
        self._keep(cell, self._done, last)
        self._y[self._done : last] = 2 * labels + np.frombuffer(cell.validation, np.uint8)
        self._done = last
        self._bad += cell.bad

    def part(self, columns: Columns) -> Part:
        if self._done < len(self._y):
            raise _changed(len(self._y))
        if self._bad:
            raise UserError(
                f"{self._bad} of {len(self._y)} rows have features that are null, NaN or infinite "
                f"(featuresCol {columns.features.column!r}): filter or mend them"
            )
        X = self._features()
        order = order_of_rows(X, self._y)
        return Part(taken(X, order), self._y[order])

    def _begin(self, width: int) -> None:
        self._X: Array = np.empty((len(self._y), width), KINDS[0])

    def _keep(self, cell: Any, first: int, last: int) -> None:
        if KINDS.index(cell.kind) > KINDS.index(self._X.dtype.name):
            self._X = self._X.astype(cell.kind)
        self._X[first:last] = np.frombuffer(cell.features, cell.kind).reshape(last - first, -1)

    def _features(self) -> Rows:
        return self._X


class _StoredRows(_Rows):
    """The same, of numbers that executors have written to files."""

    def _begin(self, width: int) -> None:
        self._width = width
        self._cells: list[tuple[str, str, int]] = []  # file, kind, rows

    def _keep(self, cell: Any, first: int, last: int) -> None:
        self._cells.append((cell.file, cell.kind, last - first))

    def _features(self) -> Rows:
        pieces, ends = [], dict.fromkeys((file for file, _, _ in self._cells), 0)
        for (file, kind), alike in itertools.groupby(self._cells, lambda cell: cell[:2]):
            shape = sum(rows for _, _, rows in alike), self._width
            pieces.append(Piece(Path(file), np.dtype(kind), shape, ends[file]))
            ends[file] += np.dtype(kind).itemsize * shape[0] * shape[1]
        return StoredRows(pieces)


def _changed(rows: int) -> RunError:
    return RunError(
        f"the DataFrame had {rows} rows when they were counted, and has others now: cache it, or write it "
        "to a table first"
    )


def order_of_rows(X: Rows, y: Array) -> Array:
    """An order by a hash of 128 bits of each row: equal sets of rows get equal orders, however they came."""
    digests = b"".join(_digests(X, y))
    high, low = np.frombuffer(digests, ">u8").reshape(-1, 2).T
    return np.lexsort((low, high))


def _digests(X: Rows, y: Array) -> Iterator[bytes]:
    rows = (row for block in blocks(X) for row in np.ascontiguousarray(block))
    for row, label in zip(rows, y, strict=True):
        digest = hashlib.blake2b(row, digest_size=16)
        digest.update(int(label).to_bytes(2, "little"))
        yield digest.digest()


def as_dataset(rows: Part, image: tuple[int, int, int] | None, scale: float, classes: int) -> Dataset:
    """The rows as a data set, with a validation part if rows are marked.

    Bytes whose scale is that of bytes stay bytes. Other numbers are divided by the scale here.
    """
    X = rows.X
    if X.dtype == np.uint8 and scale == 1:
        X = mapped(X, lambda bytes_: bytes_.astype(np.float32))
    elif scale != (BYTE_SCALE if X.dtype == np.uint8 else 1):
        X = mapped(X, lambda numbers: numbers / scale)
    if image is not None:
        X = mapped(X, lambda flat: flat.reshape(-1, *image))
    whole, held_back = Part(X, rows.y // 2), rows.y % 2 == 1
    train = whole.rows(np.flatnonzero(~held_back))
    validation = whole.rows(np.flatnonzero(held_back)) if held_back.any() else None
    return Dataset(NAME, TITLE, train, validation=validation, least_classes=classes)
