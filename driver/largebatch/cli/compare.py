"""`largebatch compare`: what differs between two runs or studies."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from largebatch.cli.commands import Commands, add_command
from largebatch.cli.status import DONE


def add(commands: Commands) -> None:
    """The command and its options."""
    parser = add_command(commands, "compare", run, "List the differences between two runs or two studies.")
    parser.add_argument("a", type=Path, metavar="A", help="folder of a run or a study")
    parser.add_argument("b", type=Path, metavar="B", help="folder of the run or study to compare it with")
    parser.add_argument("--json", action="store_true", help="print the differences as one JSON object")


def run(options: argparse.Namespace) -> int:
    """Print the differences."""
    from largebatch.report.compare import compare

    found = compare(options.a, options.b)
    print(json.dumps(found.to_mapping(), indent=2) if options.json else found.text())
    return DONE
