"""The program's cache of data sets: where it lies, and files that appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

from largebatch.errors import RunError
from largebatch.files.places import cache_dir
from largebatch.files.safe import write_atomically


def data_cache(name: str) -> Path:
    """Folder of the data set `name` in the cache; it need not exist."""
    return cache_dir() / "data" / name


def write_cached(target: Path, data: bytes) -> None:
    """Write a file that other processes may read or write at the same time; its folder is made if need be.

    Readers see the old file, the new one, or none. Raises RunError if the file can't be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(target, data, alone=False)
    except OSError as error:
        raise RunError(
            f"{target} cannot be written: {error.strerror or error}; "
            "$XDG_CACHE_HOME moves the cache elsewhere"
        ) from error
