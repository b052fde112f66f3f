"""Shared by the files of the commands: how a command is declared, and an option of several commands."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from largebatch.cli.parsing import local_path
from largebatch.export import parse_trackers
from largebatch.terminal.say import say

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

RUNS = Path("runs")


def add_command(
    commands: Commands, name: str, run: Callable[[argparse.Namespace], int], text: str
) -> argparse.ArgumentParser:
    """A command, with its help text and the function that carries it out and returns the exit status."""
    parser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(command=run)
    return parser


def add_data_dir(parser: argparse.ArgumentParser) -> None:
    """The option --data-dir."""
    parser.add_argument("--data-dir", type=local_path, metavar="DIR", help="folder of the data set's files")


def add_track(parser: argparse.ArgumentParser) -> None:
    """The option --track, see `tracking`."""
    parser.add_argument(
        "--track",
        type=parse_trackers,
        default=[],
        metavar="NAMES",
        help="follow the runs in mlflow, tensorboard, or both, separated by a comma (default: none)",
    )


def tracking(options: argparse.Namespace, path: Path) -> contextlib.AbstractContextManager[None]:
    """Trackers that follow the folder of a run or study, as --track asks."""
    if not options.track:
        return contextlib.nullcontext()
    from largebatch.export.watch import watching

    return watching(path, options.track, say)
