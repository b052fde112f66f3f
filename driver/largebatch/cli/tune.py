"""`largebatch tune`: settings chosen with equal budgets, and the answer as a page."""

from __future__ import annotations

import argparse

from largebatch.cli.commands import Commands, add_command
from largebatch.cli.parsing import add_only
from largebatch.cli.status import DONE
from largebatch.cli.sweep import add_study, carry_out, request
from largebatch.terminal.say import say


def add(commands: Commands) -> None:
    """The command and its options."""
    parser = add_command(
        commands,
        "tune",
        run,
        "Choose the settings of each optimizer at each batch size, by equal budgets and on validation rows; "
        "train the best with several seeds. Exit status: as of `sweep`.",
    )
    add_study(parser, tuning=True)
    add_only(parser, "cells")
    parser.add_argument("--explain", action="store_true", help="only say the plan in words")


def run(options: argparse.Namespace) -> int:
    """Carry out the study and write its report, or say what would be done."""
    from largebatch.report.write import report
    from largebatch.studies.tune import command

    wanted = request(options)
    if options.explain:
        print(command.explained(wanted, say))
        return DONE
    if options.dry_run:
        print(command.dry_run(wanted, say))
        return DONE
    status = carry_out(options, wanted.out, lambda: command.tune(wanted, say))
    if status == DONE:
        written = report(wanted.out)
        print(f"{written.text}\n\n{written.page}")
    return status
