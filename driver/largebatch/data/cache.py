"""The program's cache of data sets: where it lies, and files that appear whole or not at all."""

from __future__ import annotations

import secrets
from pathlib import Path

from largebatch.errors import RunError
from largebatch.files.places import cache_dir


def data_cache(name: str) -> Path:
    """Folder of the data set `name` in the cache; it need not exist."""
    return cache_dir() / "data" / name


def write_atomic(target: Path, data: bytes) -> None:
    """Put `data` at `target` at one stroke: readers see the old file, the new one, or none.

    Raises RunError if the file can't be written; no partial file remains.
    """
    # Not tempfile: its files are private to the user, a cache may be shared.
    part = target.with_name(f".{target.name}.{secrets.token_hex(8)}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("xb") as file:
                file.write(data)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise RunError(
            f"{target} cannot be written: {error.strerror or error}; "
            "$XDG_CACHE_HOME moves the cache elsewhere"
        ) from error
