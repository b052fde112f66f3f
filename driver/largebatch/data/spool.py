"""Rows that come one after the other: kept in memory as long as they are few, else in a file."""

from __future__ import annotations

import io
import tempfile
from typing import IO

import numpy as np
import numpy.typing as npt

from largebatch.data.stored import Array, Piece, Rows, StoredRows
from largebatch.errors import RunError
from largebatch.files.places import cache_dir

IN_MEMORY = 2**28  # bytes


class Spool:
    """Numbers of rows. The file has no name in its folder, and is gone with this process, however it ends.

    Raises RunError if the file can't be written.
    """

    def __init__(self) -> None:
        self._file: IO[bytes] = io.BytesIO()
        self._in_memory = True

    def write(self, row: Array) -> None:
        """Add a row, or some."""
        folder = cache_dir() / "prepared"
        try:
            if self._in_memory and self._file.tell() + row.nbytes > IN_MEMORY:
                folder.mkdir(parents=True, exist_ok=True)
                before, self._file = self._file, tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - rows keep it
                self._in_memory = False
                self._file.write(before.getvalue())  # type: ignore[attr-defined]
            self._file.write(np.ascontiguousarray(row).data)
        except OSError as error:
            raise RunError(
                f"{folder} cannot hold the pixels: {error.strerror or error}; $XDG_CACHE_HOME moves the "
                "cache elsewhere"
            ) from error

    def rows(self, shape: tuple[int, ...], kind: npt.DTypeLike = np.uint8) -> Rows:
        """All that was written, as an array of shape (N, ...) with numbers of a kind."""
        self._file.seek(0)
        if self._in_memory:
            return np.frombuffer(self._file.read(), kind).reshape(shape)
        return StoredRows([Piece(self._file, np.dtype(kind), shape)])
