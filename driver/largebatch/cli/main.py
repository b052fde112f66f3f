"""The command `largebatch`: reads the command line, calls the rest, turns failures into exit statuses."""

from __future__ import annotations

import argparse
import io
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import largebatch
from largebatch.cli import (
    bench,
    compare,
    completion,
    data,
    doctor,
    export,
    predict,
    report,
    simulate,
    sweep,
    train,
    tune,
)
from largebatch.cli.status import FAILED, INTERRUPTED, UNUSABLE
from largebatch.engine.host import Host
from largebatch.engine.own import OWN_JVM
from largebatch.errors import RunError, UserError
from largebatch.terminal.say import say

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

# In the order of the help.
COMMANDS = (train, sweep, tune, report, compare, simulate, bench, doctor, data, predict, export)


def _refused(error: OSError) -> str:
    """What the system refused, and of which file."""
    return f"{error.filename} can't be used: {error.strerror}" if error.filename else str(error)


def main(arguments: Sequence[str] | None = None, host: Host = OWN_JVM) -> NoReturn:
    """Run a command and exit: 0 done, 1 failed, 2 unusable input, 130 interrupted.

    `train`, `sweep` and `tune` run in the JVM of the host; all other commands start JVMs of their own.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    if isinstance(sys.stdout, io.TextIOWrapper):  # for file names that are not UTF-8
        sys.stdout.reconfigure(errors="surrogateescape")
    try:
        status = _carry_out(arguments, host)
    except UserError as error:
        say(f"largebatch: {error}")
        status = UNUSABLE
    except RunError as error:
        say(f"largebatch: {error}")
        status = FAILED
    except OSError as error:
        if not isinstance(error, BrokenPipeError):  # a reader such as `head` has closed the pipe
            say(f"largebatch: {_refused(error)}")
        status = UNUSABLE if isinstance(error, PermissionError) else FAILED
    except MemoryError as error:
        say(
            f"largebatch: this process can't have the memory that it needs ({error}): free some, or raise "
            "its limit (ulimit -v)"
        )
        status = FAILED
    except KeyboardInterrupt:
        say("largebatch: interrupted")
        status = INTERRUPTED
    _drop_broken_streams()
    sys.exit(status)


class _Parser(argparse.ArgumentParser):
    """Python's own lets a stream fail in silence while a long help text is written.

    It also puts forty lines of usage before the sentence that tells the mistake.
    """

    def error(self, message: str) -> NoReturn:
        self.exit(UNUSABLE, f"{self.prog}: error: {message}; see {self.prog} --help\n")

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        if message:
            (file or sys.stderr).write(message)


def build_parser() -> argparse.ArgumentParser:
    """The command line with all commands."""
    parser = _Parser(
        prog="largebatch", description="Large-batch training of neural networks on Apache SystemDS and Spark."
    )
    parser.add_argument("--version", action="version", version=largebatch.__version__)
    completion.add(parser)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return parser


def _carry_out(arguments: Sequence[str] | None, host: Host) -> int:
    """Run the command that the arguments name; its output is written when this returns or raises."""
    try:
        options = build_parser().parse_args(arguments, argparse.Namespace(host=host))
        run: Callable[[argparse.Namespace], int] = options.command
        return run(options)
    finally:
        print(end="", flush=True)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _drop_broken_streams() -> None:
    """At exit, Python would flush a broken stream again, fail again, and change the exit status."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        try:
            if stream is not None:  # it is None if the process was started without that channel
                stream.flush()
        except OSError:
            setattr(sys, name, None)
