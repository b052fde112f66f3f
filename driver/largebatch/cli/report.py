"""`largebatch report`: tables, figures and page of a study."""

from __future__ import annotations

import argparse
from pathlib import Path

from largebatch.cli.commands import Commands, add_command
from largebatch.cli.parsing import positive
from largebatch.cli.status import DONE
from largebatch.terminal.say import say


def add(commands: Commands) -> None:
    """The command and its options."""
    parser = add_command(
        commands,
        "report",
        run,
        "Write a study's tables, figures and page, from its files alone; a sweep may still be running.",
    )
    parser.add_argument("study", type=Path, metavar="DIR", help="folder of a study")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write there (default: the study's folder)")
    parser.add_argument(
        "--epoch", type=positive, metavar="N", help="as if all runs had stopped after N epochs"
    )
    parser.add_argument(
        "--per-worker", action="store_true", help="read the paper's batch size as that of one worker"
    )


def run(options: argparse.Namespace) -> int:
    """Write the report, print its text."""
    from largebatch.report.write import report

    written = report(options.study, options.out, options.epoch, per_worker=options.per_worker)
    for problem in written.problems:
        say(problem)
    print(f"{written.text}\n\n{written.page}")
    return DONE
