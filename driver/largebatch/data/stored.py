"""Rows that lie in files: an array that may be larger than memory, of which some rows at a time are read."""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from largebatch.errors import RunError

Array = npt.NDArray[Any]
Step = Callable[[Array], Array]

BLOCK = 2**24  # bytes of rows that are looked at at a time
ROWS = 1000  # read at a time from a file whose rows do not lie together


@dataclass(frozen=True)
class Piece:
    """An array of shape (n, ...) in a file, after `offset` bytes. A file without a name must stay open."""

    file: Path | IO[bytes]
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int = 0
    fortran: bool = False
    _stamp: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_stamp", self._now())  # it is frozen

    def _now(self) -> tuple[int, ...]:
        """What differs once another file is there, or another content."""
        if not isinstance(self.file, Path):
            return ()
        found = self.file.stat()
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

    def read(self, rows: Array) -> Array:
        """Some of its rows. Nothing else of the file comes into this process' memory.

        Raises RunError if the file is gone, or another than it was.
        """
        try:
            if self._now() != self._stamp:
                raise RunError(f"{self.file} has changed since its rows were first read: begin again with it")
            return self._read(rows)
        except OSError as error:
            shown = self.file if isinstance(self.file, Path) else "a temporary file"
            raise RunError(f"{shown} can't be read any more: {error.strerror or error}") from error

    def _read(self, rows: Array) -> Array:
        if self.fortran:
            return np.memmap(self.file, self.dtype, "r", self.offset, self.shape, "F")[rows]
        found = np.empty((len(rows), *self.shape[1:]), self.dtype)
        size = self.dtype.itemsize * math.prod(self.shape[1:])
        with self.file.open("rb") if isinstance(self.file, Path) else nullcontext(self.file) as file:
            for row, place in zip(found.reshape(len(rows), -1), rows.tolist(), strict=True):
                if os.preadv(file.fileno(), [row.data], self.offset + size * place) < size:
                    raise OSError(errno.EIO, f"{file.name} has become shorter")
        return found


class StoredRows:
    """Rows of files in an order, as an array of shape (N, ...) that is indexed by slices and by arrays.

    The pieces have rows of one shape. If their types differ, rows have the one that holds all of them.
    """

    def __init__(
        self, pieces: Sequence[Piece], order: Array | None = None, steps: tuple[Step, ...] = ()
    ) -> None:
        self._pieces = tuple(pieces)
        self._steps = steps
        self._ends = np.cumsum([piece.shape[0] for piece in self._pieces])
        self._order = np.arange(self._ends[-1]) if order is None else order
        self._kind = np.result_type(*(piece.dtype for piece in self._pieces))
        first = self[:1]
        self.shape: tuple[int, ...] = (len(self._order), *first.shape[1:])
        self.dtype = first.dtype

    def __len__(self) -> int:
        """Number of rows N."""
        return len(self._order)

    def __getitem__(self, which: slice | Array) -> Array:
        """These rows, read now. Raises RunError, see `Piece`."""
        places = self._order[which]
        found = np.empty((len(places), *self._pieces[0].shape[1:]), self._kind)
        for first in range(0, len(places), ROWS):
            self._read(places[first : first + ROWS], found[first : first + ROWS])
        for step in self._steps:
            found = step(found)
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """All rows at once."""
        return self[:].astype(dtype or self.dtype, copy=False)

    def _read(self, places: Array, found: Array) -> None:
        pieces = np.searchsorted(self._ends, places, "right")
        for number in np.unique(pieces):
            which = pieces == number
            start = self._ends[number] - self._pieces[number].shape[0]
            found[which] = self._pieces[number].read(places[which] - start)

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Count of numbers."""
        return int(np.prod(self.shape, dtype=np.int64))

    def taken(self, which: slice | Array) -> StoredRows:
        """These rows, in this order, none of them read."""
        return StoredRows(self._pieces, self._order[which], self._steps)

    def mapped(self, step: Step) -> StoredRows:
        """What `step` makes of any rows, row by row, when they are read."""
        return StoredRows(self._pieces, self._order, (*self._steps, step))


Rows = Array | StoredRows


def blocks(X: Rows) -> Iterator[Array]:
    """The rows in their order, a few megabytes at a time."""
    rows = max(1, BLOCK * len(X) // max(1, X.size * X.dtype.itemsize))
    for first in range(0, len(X), rows):
        yield X[first : first + rows]


def taken(X: Rows, which: slice | Array) -> Rows:
    """These rows, in this order."""
    return X.taken(which) if isinstance(X, StoredRows) else X[which]


def mapped(X: Rows, step: Step) -> Rows:
    """What `step` makes of rows, row by row."""
    return X.mapped(step) if isinstance(X, StoredRows) else step(X)


def ends(X: Rows) -> tuple[float, float]:
    """The smallest and the largest number."""
    found = [(block.min(), block.max()) for block in blocks(X)]
    return float(min(low for low, _ in found)), float(max(high for _, high in found))
