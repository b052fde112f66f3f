"""The command line, called in this process: starting one for each of hundreds of refusals takes minutes."""

from __future__ import annotations

import contextlib
import io
import signal
from collections.abc import Sequence
from subprocess import CompletedProcess

import pytest

from largebatch.cli import main as cli


def call(arguments: Sequence[str]) -> CompletedProcess[str]:
    """What a command printed, and its exit status; streams are as a terminal's."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", errors=e) for e in ("strict", "backslashreplace"))
    handler = signal.getsignal(signal.SIGTERM)
    try:
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.raises(SystemExit) as end,
        ):
            cli.main(arguments)
    finally:
        signal.signal(signal.SIGTERM, handler)
    for stream in (out, err):
        stream.flush()
        stream.seek(0)
    return CompletedProcess(list(arguments), int(end.value.code or 0), out.read(), err.read())
