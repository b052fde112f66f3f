"""The program's cache of data sets: where it lies, and files that appear whole or not at all."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from largebatch.errors import RunError
from largebatch.files.places import cache_dir
from largebatch.files.safe import write_atomically
from largebatch.terminal.say import Say

Arrays = dict[str, npt.NDArray[np.uint8]]


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


def made_once(
    file: Path, shapes: Mapping[str, tuple[int, ...]], make: Callable[[], Arrays], what: str, say: Say
) -> Arrays:
    """Arrays of bytes from a file of the cache, made now if it is absent, damaged, or of other shapes."""
    arrays = _stored(file, shapes)
    if arrays is None:
        say(f"making {what} in {file}")
        arrays = make()
        _store(file, arrays, say)
    return arrays


def _stored(file: Path, shapes: Mapping[str, tuple[int, ...]]) -> Arrays | None:
    try:
        with np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in shapes}
    except Exception:  # a damaged archive raises a dozen types; it is made anew
        return None
    sound = all(arrays[name].dtype == np.uint8 and arrays[name].shape == shapes[name] for name in shapes)
    return arrays if sound else None


def _store(file: Path, arrays: Arrays, say: Say) -> None:
    """Keep the arrays for the next run; a cache that can't be written costs seconds, not the run."""
    stored = io.BytesIO()
    np.savez(stored, **arrays)  # type: ignore[arg-type]
    try:
        write_cached(file, stored.getvalue())
    except RunError as error:
        say(str(error))
