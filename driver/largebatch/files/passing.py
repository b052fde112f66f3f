"""Folders for as long as a process needs them, even if it is killed."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from largebatch.errors import RunError, UserError
from largebatch.files.lock import locked
from largebatch.files.places import cache_dir

PREFIX = "passing-"
OLD_PREFIXES = ("shards-", "rows-")  # of older versions


@contextlib.contextmanager
def passing_folder(home: Path) -> Iterator[Path]:
    """A new folder in `home` that is removed afterwards, with those that killed processes left there.

    Raises OSError if it can't be made, or UserError as `locked` does.
    """
    with contextlib.ExitStack() as held:
        with locked(home, wait=True):  # a folder without a process that holds it is then left behind
            _remove_left(home)
            new = tempfile.TemporaryDirectory(dir=home, prefix=PREFIX, ignore_cleanup_errors=True)
            folder = Path(held.enter_context(new))
            held.enter_context(locked(folder))
        yield folder


@contextlib.contextmanager
def room(home: Path | None = None) -> Iterator[Path]:
    """Such a folder in `home`, by default that of prepared data in the user's cache.

    Raises RunError if it can't be made.
    """
    home = home or cache_dir() / "prepared"
    with contextlib.ExitStack() as held:
        with told_of_cache(home):
            home.mkdir(parents=True, exist_ok=True)
            folder = held.enter_context(passing_folder(home))
        yield folder


@contextlib.contextmanager
def told_of_cache(home: Path) -> Iterator[None]:
    """What can't be written into the cache meanwhile is raised as RunError."""
    try:
        yield
    except OSError as error:
        raise RunError(
            f"{home} cannot be written: {error.strerror or error}; $XDG_CACHE_HOME moves the cache elsewhere"
        ) from error


def _remove_left(home: Path) -> None:
    for prefix in (PREFIX, *OLD_PREFIXES):
        for left in home.glob(f"{prefix}*"):
            with contextlib.suppress(UserError), locked(left):  # of those in use, or just removed
                shutil.rmtree(left, ignore_errors=True)
