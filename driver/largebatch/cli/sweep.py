"""`largebatch sweep`: all runs of a study."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from largebatch.cli.commands import RUNS, Commands, add_command, add_data_dir, add_track, tracking
from largebatch.cli.parsing import (
    add_only,
    add_settings,
    given,
    grouped,
    local_path,
    positive,
    seconds,
)
from largebatch.cli.status import DONE, INTERRUPTED
from largebatch.settings.execution import Execution
from largebatch.terminal.say import say

if TYPE_CHECKING:
    from largebatch.studies.command import SweepRequest


def add(commands: Commands) -> None:
    """The command and its options."""
    parser = add_command(
        commands,
        "sweep",
        run,
        "Carry out all runs of a study that have not ended yet. Exit status: 0 all runs ended (a diverged "
        "run, too), 1 some runs failed, 3 the time limit was reached.",
    )
    add_study(parser, tuning=False)
    add_only(parser)


def add_study(parser: argparse.ArgumentParser, *, tuning: bool) -> None:
    """The study, one that tunes or not, and the options of all that carry studies out: see `request`."""
    from largebatch.studies.library import shipped

    parser.set_defaults(tunes=tuning)
    there = ", ".join(shipped(tuning=tuning))
    parser.add_argument("study", metavar="STUDY", help=f"a TOML file, or one of {there}")
    add_data_dir(parser)
    parser.add_argument(
        "--out", type=local_path, metavar="DIR", help="folder of the study (default: runs/STUDY)"
    )
    parser.add_argument(
        "--runs",
        type=local_path,
        metavar="DIR",
        help="folder of the runs, which several studies may share (default: OUT/runs)",
    )
    parser.add_argument("--dry-run", action="store_true", help="only list the runs and estimate the time")
    parser.add_argument(
        "--jobs", type=positive, default=1, metavar="N", help="sessions at a time (default: 1)"
    )
    parser.add_argument(
        "--limit-time",
        type=seconds,
        metavar="TIME",
        help="start no epoch that would end later than this, e.g. 1h30m",
    )
    parser.add_argument("--isolate", action="store_true", help="start a new session for every run")
    add_track(parser)
    add_settings(parser, Execution)


def request(options: argparse.Namespace) -> SweepRequest:
    """What the options ask for."""
    from largebatch.studies import library
    from largebatch.studies.command import SweepRequest
    from largebatch.studies.sweep import Limits

    return SweepRequest(
        study=options.study,
        out=options.out or RUNS / library.load(options.study, tuning=options.tunes).name,
        runs=options.runs,
        data_dir=options.data_dir,
        only=grouped(options.only),
        execution=given(options, Execution),
        limits=Limits(options.jobs, options.limit_time, options.isolate),
        host=options.host,
    )


def run(options: argparse.Namespace) -> int:
    """Carry out the study, or list its runs."""
    from largebatch.studies import command

    wanted = request(options)
    if options.dry_run:
        print(command.dry_run(wanted, say))
        return DONE
    return carry_out(options, wanted.out, lambda: command.sweep(wanted, say, print))


def carry_out(options: argparse.Namespace, out: Path, study: Callable[[], int]) -> int:
    """Carry out a study whose folder is `out`, followed by trackers; returns the exit status."""
    try:
        with tracking(options, out):
            return study()
    except KeyboardInterrupt:
        say("largebatch: interrupted; the same command goes on from the last epoch")
        return INTERRUPTED
