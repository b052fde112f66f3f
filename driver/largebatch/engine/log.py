"""The log file of a session."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from largebatch.errors import RunError
from largebatch.files.safe import no_link


class Log:
    """A file that output is appended to. Raises RunError if the file can't be opened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = _append(path)

    def write(self, output: bytes) -> None:
        """Append to the file."""
        self._file.write(output)

    def flush(self) -> None:
        """Pass everything written so far to the system."""
        self._file.flush()

    def close(self) -> None:
        """Close the file. Raises OSError on a full disk."""
        self._file.close()

    @contextmanager
    def redirected(self, path: Path) -> Iterator[None]:
        """Append to another file meanwhile."""
        own = self.path, self._file
        with _append(path) as file:
            self.path, self._file = path, file
            try:
                yield
            finally:
                self.path, self._file = own


def _append(path: Path) -> IO[bytes]:
    try:
        return open(path, "ab", opener=no_link)
    except OSError as error:
        raise RunError(f"{path} can't be written: {error.strerror}") from error
