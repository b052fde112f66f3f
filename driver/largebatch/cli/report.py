"""`largebatch report`: tables, figures and page of a study."""

from __future__ import annotations

import argparse
from pathlib import Path

from largebatch.cli.commands import Commands, add_command
from largebatch.cli.parsing import add_only, grouped, positive
from largebatch.cli.status import DONE
from largebatch.terminal.say import say


def add(commands: Commands) -> None:
    """The command and its options."""
    parser = add_command(
        commands,
        "report",
        run,
        "Write the tables, figures and page of a study from its files. Its sweep may still be running.",
    )
    parser.add_argument("study", type=Path, metavar="DIR", help="folder of a study")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder to write to (default: the study's folder)"
    )
    parser.add_argument(
        "--epoch", type=positive, metavar="N", help="report every run as it was after N epochs"
    )
    add_only(parser)
    parser.add_argument(
        "--per-worker", action="store_true", help="take the paper's batch sizes for those of one worker"
    )


def run(options: argparse.Namespace) -> int:
    """Write the report, print its text."""
    from largebatch.report.write import report

    only = grouped(options.only)
    written = report(options.study, options.out, options.epoch, only, per_worker=options.per_worker)
    for problem in written.problems:
        say(problem)
    print(f"{written.text}\n\n{written.page}")
    return DONE
