"""`largebatch simulate`: how stale gradients become, and how fast updates are, without training."""

from __future__ import annotations

import argparse

from largebatch.cli.commands import Commands, add_command
from largebatch.cli.parsing import add_settings, given, local_path
from largebatch.cli.status import DONE
from largebatch.settings.protocols import ProtocolSettings
from largebatch.settings.simulation import SimulationSettings
from largebatch.settings.training import Training
from largebatch.settings.values import declared

_COMMON = ("workers", "batch_size_per_worker", "epochs", "seed")


def add(commands: Commands) -> None:
    """The command and its options."""
    parser = add_command(
        commands,
        "simulate",
        run,
        "Predict staleness, updates per second and epoch time of a protocol, or of all without --protocol. "
        "A worker takes 32 rows at a time unless --batch-size-per-worker says otherwise.",
    )
    add_settings(parser, Training, only=(*_COMMON, *declared(ProtocolSettings)))
    add_settings(parser, SimulationSettings)
    parser.add_argument(
        "--out", type=local_path, metavar="DIR", help="folder for the results as CSV, and a figure"
    )


def run(options: argparse.Namespace) -> int:
    """Simulate, print the table, write the files."""
    from largebatch.report import simulated
    from largebatch.simulation.plan import outcomes

    found = outcomes(given(options, Training), SimulationSettings(**given(options, SimulationSettings)))
    print(simulated.text(found))
    if options.out:
        simulated.write(found, options.out)
        print(f"\n{options.out}")
    return DONE
