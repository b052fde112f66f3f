"""`largebatch simulate`: how stale gradients become, and how fast updates are, without training."""

from __future__ import annotations

import argparse

from largebatch.cli.commands import Commands, add_command
from largebatch.cli.parsing import add_settings, given, local_path
from largebatch.cli.status import DONE
from largebatch.settings.protocols import PROTOCOLS, ProtocolSettings
from largebatch.settings.simulation import SimulationSettings
from largebatch.settings.training import Training
from largebatch.settings.values import declared

# The settings of protocols that change what happens when.
_OF_TIMING = [
    name
    for name in declared(ProtocolSettings)
    if name not in ("protocol", "staleness_modulation", "repetition")
]


def add(commands: Commands) -> None:
    """The command and its options."""
    parser = add_command(
        commands, "simulate", run, "Predict staleness, updates per second and epoch time without training."
    )
    parser.add_argument("--protocol", choices=tuple(PROTOCOLS), help="when the server updates (default: all)")
    add_settings(parser, Training, only=("workers", "epochs", *_OF_TIMING))
    add_settings(parser, SimulationSettings)
    parser.add_argument(
        "--out", type=local_path, metavar="DIR", help="folder for the results as CSV, and a figure"
    )


def run(options: argparse.Namespace) -> int:
    """Simulate, print the table, write the files."""
    from largebatch.report import simulated
    from largebatch.simulation.plan import outcomes

    own = given(options, SimulationSettings)
    training = {name: value for name, value in given(options, Training).items() if name not in own}
    found = outcomes(training, SimulationSettings.from_given(own))
    print(simulated.text(found))
    if options.out:
        simulated.write(found, options.out)
        print(f"\n{options.out}")
    return DONE
