"""Lines for the user, on standard error."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from typing import TextIO

Say = Callable[[str], None]  # takes a line for the user


def say(text: str, stream: TextIO | None = None) -> None:
    """Write a line to a stream (default: standard error), above any bars. Readers may have gone."""
    from largebatch.terminal.bars import Bar  # not before there is something to say: tqdm takes a while

    stream = stream or sys.stderr
    if stream is None:  # the process was started without that channel
        return
    with contextlib.suppress(BrokenPipeError), Bar.external_write_mode(stream):
        stream.write(f"{text}\n")  # in one piece: other processes may write too
        stream.flush()
