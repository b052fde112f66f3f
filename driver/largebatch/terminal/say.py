"""What is said to the user, on standard error."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from typing import TextIO

Say = Callable[[str], None]  # takes a line that the user shall see


def say(text: str, end: str = "\n", stream: TextIO | None = None) -> None:
    """Write to a stream (default: standard error). If its reader is gone, that does not stop a run."""
    with contextlib.suppress(BrokenPipeError):
        print(text, end=end, file=stream or sys.stderr, flush=True)
