"""`largebatch doctor`: checks whether this machine has what a run needs."""

from __future__ import annotations

import argparse

from largebatch.cli.commands import Commands, add_command, add_data_dir
from largebatch.cli.parsing import whole_number


def add(commands: Commands) -> None:
    """The command and its options."""
    parser = add_command(commands, "doctor", run, "Check whether this machine has what a run needs.")
    add_data_dir(parser)
    parser.add_argument(
        "--workers",
        type=whole_number,
        default=4,
        metavar="N",
        help="workers that runs will have (default: 4)",
    )


def run(options: argparse.Namespace) -> int:
    """Run all checks, print them."""
    from largebatch.doctor.checks import check_all, exit_status, format_table
    from largebatch.doctor.smoke import smoke

    checks = check_all(options.workers, options.data_dir, smoke)
    print(format_table(checks))
    return exit_status(checks)
