"""The rows of a DataFrame on the driver, in an order that depends on the rows alone."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from pyspark.sql import DataFrame

from largebatch.data.dataset import BYTE_SCALE, Array, Dataset, Part
from largebatch.errors import RunError, UserError
from largebatch.ml.rows import KINDS, pack
from largebatch.ml.survey import Columns, Survey

NAME, TITLE = "dataframe", "the DataFrame"
_CELLS = "kind string, features binary, labels binary, validation binary, bad long"


def gather(
    dataset: DataFrame, columns: Columns, found: Survey, image: tuple[int, int, int], order: str
) -> Part:
    """All rows as one part, whose y is 2 * label, plus 1 for a row of the validation part.

    Executors pack the rows into few large cells, which come one partition at a time. Raises UserError for
    features that are not finite and for executors without pandas, RunError if the DataFrame has other rows
    than a moment ago.
    """
    packed = columns.select(dataset, columns.features.sized(image)).mapInPandas(
        functools.partial(pack, width=found.width, image=image, order=order), _CELLS
    )
    rows = _Rows(found.rows, found.width)
    with _told_of_packages():
        for cell in packed.toLocalIterator(prefetchPartitions=True):
            rows.add(cell)
    return rows.part(columns)


@contextmanager
def _told_of_packages() -> Iterator[None]:
    """Errors of Spark about a package that executors lack are raised as UserError."""
    try:
        yield
    except Exception as error:
        lacking = re.search(r"ModuleNotFoundError: No module named '([\w.]+)'", str(error))
        if lacking is None:
            raise
        raise UserError(
            f"the Python of executors has no {lacking[1]}: install numpy, pandas and pyarrow there, or "
            "name another Python by PYSPARK_PYTHON"
        ) from error


class _Rows:
    """Rows that come in pieces. The numbers are stored as the least of KINDS that has all of them exactly."""

    def __init__(self, rows: int, width: int) -> None:
        self._X: Array = np.empty((rows, width), KINDS[0])
        self._y: Array = np.empty(rows, np.uint16)
        self._done = 0
        self._bad = 0

    def add(self, cell: Any) -> None:
        labels = np.frombuffer(cell.labels, np.uint8).astype(np.uint16)
        last = self._done + len(labels)
        if last > len(self._X):
            raise _changed(len(self._X))
        if KINDS.index(cell.kind) > KINDS.index(self._X.dtype.name):
            self._X = self._X.astype(cell.kind)
        numbers = np.frombuffer(cell.features, cell.kind)
        self._X[self._done : last] = numbers.reshape(len(labels), -1)
        self._y[self._done : last] = 2 * labels + np.frombuffer(cell.validation, np.uint8)
        self._done = last
        self._bad += cell.bad

    def part(self, columns: Columns) -> Part:
        if self._done < len(self._X):
            raise _changed(len(self._X))
        if self._bad:
            raise UserError(
                f"{self._bad} of {len(self._X)} rows have features that are null, NaN or infinite "
                f"(featuresCol {columns.features.column!r}): filter or mend them"
            )
        order = order_of_rows(self._X, self._y)
        return Part(self._X[order], self._y[order])


def _changed(rows: int) -> RunError:
    return RunError(
        f"the DataFrame had {rows} rows when they were counted, and has others now: cache it, or write it "
        "to a table first"
    )


def order_of_rows(X: Array, y: Array) -> Array:
    """An order by a hash of 128 bits of each row: equal sets of rows get equal orders, however they came."""
    digests = b"".join(_digests(np.ascontiguousarray(X), y))
    high, low = np.frombuffer(digests, ">u8").reshape(-1, 2).T
    return np.lexsort((low, high))


def _digests(X: Array, y: Array) -> Iterator[bytes]:
    for row, label in zip(X, y, strict=True):
        digest = hashlib.blake2b(row, digest_size=16)
        digest.update(int(label).to_bytes(2, "little"))
        yield digest.digest()


def as_dataset(rows: Part, image: tuple[int, int, int] | None, scale: float, classes: int) -> Dataset:
    """The rows as a data set, with a validation part if rows are marked.

    Bytes whose scale is that of bytes stay bytes. Other numbers are divided by the scale here.
    """
    X = rows.X
    if X.dtype != np.uint8 or scale != BYTE_SCALE:
        X = X.astype(np.float32) if X.dtype == np.uint8 and scale == 1 else X
        X = X if scale == 1 else X / scale
    if image is not None:
        X = X.reshape(-1, *image)
    held_back, y = rows.y % 2 == 1, (rows.y // 2).astype(np.uint8)
    train = Part(X[~held_back], y[~held_back])
    validation = Part(X[held_back], y[held_back]) if held_back.any() else None
    return Dataset(NAME, TITLE, train, validation=validation, least_classes=classes)
