"""Folders for as long as a process needs them, even if it is killed."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from largebatch.errors import UserError
from largebatch.files.lock import locked


@contextlib.contextmanager
def passing_folder(home: Path, prefix: str) -> Iterator[Path]:
    """A new folder in `home` that is removed afterwards, with those that killed processes left there.

    Raises OSError, or UserError as `locked` does.
    """
    with contextlib.ExitStack() as held:
        with locked(home, wait=True):  # a folder without a process that holds it is then left behind
            _remove_left(home, prefix)
            new = tempfile.TemporaryDirectory(dir=home, prefix=prefix, ignore_cleanup_errors=True)
            folder = Path(held.enter_context(new))
            held.enter_context(locked(folder))
        yield folder


def _remove_left(home: Path, prefix: str) -> None:
    for left in home.glob(f"{prefix}*"):
        with contextlib.suppress(UserError), locked(left):  # of those in use, or just removed
            shutil.rmtree(left, ignore_errors=True)
