"""Shared by the files of the commands: how a command is declared, and an option of several commands."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from largebatch.cli.parsing import local_path

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
