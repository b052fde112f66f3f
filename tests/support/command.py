"""The command line: called in this process, which is quick, or in a process of its own, as users do."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from largebatch.cli import main as cli
from largebatch.engine.host import Host
from largebatch.engine.own import OWN_JVM
from tests.support.patience import TIMEOUT_S

Run = Callable[..., CompletedProcess[str]]

# A job that a script starts in the background ignores SIGINT, and so do its children: not this one.
LISTENING = ("env", "--default-signal=INT")


def call(arguments: Sequence[str], host: Host = OWN_JVM) -> CompletedProcess[str]:
    """What a command printed, and its exit status, called in this process; streams are as a terminal's."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", errors=e) for e in ("strict", "backslashreplace"))
    handler = signal.getsignal(signal.SIGTERM)
    try:
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.raises(SystemExit) as end,
        ):
            cli.main(arguments, host)
    finally:
        signal.signal(signal.SIGTERM, handler)
    for stream in (out, err):
        stream.flush()
        stream.seek(0)
    return CompletedProcess(list(arguments), int(end.value.code or 0), out.read(), err.read())


def call_in(folder: Path, *arguments: str | Path) -> CompletedProcess[str]:
    """The same with this working directory."""
    with contextlib.chdir(folder):
        return call([str(argument) for argument in arguments])


def run(folder: Path, *arguments: str | Path) -> CompletedProcess[str]:
    """The same of a command in a process of its own, with this working directory."""
    return subprocess.run(
        [sys.executable, "-m", "largebatch", *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def start(arguments: Sequence[str], folder: Path, **environment: str) -> subprocess.Popen[str]:
    """The command in the background, with temporary files below `folder`."""
    return subprocess.Popen(
        [*LISTENING, sys.executable, "-m", "largebatch", *arguments],
        cwd=folder,
        env=os.environ | {"TMPDIR": str(folder)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(process: subprocess.Popen[str], text: str) -> None:
    """Read the command's progress until a line holds the text."""
    assert process.stderr is not None
    told = []
    for line in process.stderr:
        told.append(line)
        if text in line:
            return
    pytest.fail(f"the command ended without {text!r}: {''.join(told[-20:])}")


def train_arguments(data: Path, out: Path | str, *more: str, network: str = "lenet") -> list[str]:
    """A training by LARS on an IDX folder."""
    padding = ("--padding", "valid") if network == "lenet" else ()
    return [
        "train", "--dataset", "idx", "--data-dir", str(data), "--network", network, *padding,
        "--optimizer", "lars", "--batch-size", "256", "--memory", "1g", "--out", str(out), *more,
    ]  # fmt: skip
