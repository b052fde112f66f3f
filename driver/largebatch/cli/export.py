"""`largebatch export`: models for other programs, runs for trackers of experiments."""

from __future__ import annotations

import argparse
from pathlib import Path

from largebatch.cli.commands import Commands, add_command
from largebatch.cli.status import DONE
from largebatch.export import MODELS, TRACKERS
from largebatch.terminal.say import say


def add(commands: Commands) -> None:
    """The command and its options."""
    parser = add_command(
        commands,
        "export",
        run,
        "Export the model of a run as ONNX or safetensors, or the course of a run or study to MLflow or "
        "TensorBoard.",
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a run, or of a study")
    parser.add_argument("--to", required=True, choices=(*MODELS, *TRACKERS), help="what to export to")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="file of the model (default: model.TARGET in the run's folder)",
    )


def run(options: argparse.Namespace) -> int:
    """Export, and print where the result is."""
    from largebatch.export.command import export

    print(export(options.run, options.to, options.out, say))
    return DONE
