"""Where things lie on disk: the program's DML files, the user's cache."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from largebatch.errors import UserError
from largebatch.files.names import TEMPORARY, check_path


def dml_root() -> Path:
    """Folder that contains `dml/`: the installed package, or the checkout it was installed from (-e)."""
    package = Path(__file__).resolve().parents[1]
    return package if (package / "dml").is_dir() else package.parents[1]


def cache_dir() -> Path:
    """The user's cache folder of this program ($XDG_CACHE_HOME/largebatch, else ~/.cache/largebatch).

    A user without a home that can be written has it among temporary files. Raises UserError if it is another
    user's there.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    if base.startswith("/"):
        return Path(base) / "largebatch"
    home = os.path.expanduser("~")  # noqa: PTH111 - without a home it stays as it is
    cache = Path(home) / ".cache" / "largebatch"
    if cache.is_absolute() and os.access(_first_existing(cache), os.W_OK):
        return cache
    return _temporary_cache()


def temporary_folder() -> Path:
    """The folder for temporary files. Raises UserError if there is none that can be written."""
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError:
        raise UserError("no folder for temporary files can be written: set TMPDIR to one") from None


def folder_of_sessions() -> Path:
    """The folder for temporary files of sessions. Raises UserError also for a path that SystemDS misreads."""
    folder = temporary_folder()
    check_path(folder, TEMPORARY, "set TMPDIR to another folder")
    return folder


def temporary_directory(prefix: str = "tmp") -> tempfile.TemporaryDirectory[str]:
    """A folder that a `with` block removes. Raises UserError as `temporary_folder` does."""
    return tempfile.TemporaryDirectory(prefix=prefix, dir=temporary_folder())


def _first_existing(path: Path) -> Path:
    """The path, or the nearest folder above it that is there. What may not be looked at is not there."""
    return next(each for each in (path, *path.parents) if os.path.exists(each))  # noqa: PTH110 - that of Path raises


def _temporary_cache() -> Path:
    """A folder that only this user can write: others must not put anything into it before us."""
    folder = temporary_folder() / f"cache-of-largebatch-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise UserError(
            f"{folder} can't be made ({error.strerror}): set XDG_CACHE_HOME to a folder"
        ) from error
    if found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise UserError(f"{folder} can be written by others: set XDG_CACHE_HOME to a folder of your own")
    return folder
