"""A folder held by one process at a time."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from largebatch.errors import UserError
from largebatch.files.safe import no_link

LOCK = "lock"


class InUseError(UserError):
    """A folder that another process holds."""


@contextlib.contextmanager
def locked(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold a folder for this process. Raises InUseError if another one has it, UserError if none can.

    With `wait` it waits for the other one.
    """
    try:
        opened = open(folder / LOCK, "ab", opener=no_link)  # noqa: SIM115 - closed below
    except OSError as error:
        raise UserError(f"{folder / LOCK} can't be opened: {error.strerror}") from error
    with opened as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise InUseError(f"{folder} is in use by another process: wait for it, or stop it") from None
        yield
