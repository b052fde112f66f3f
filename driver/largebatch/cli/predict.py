"""`largebatch predict`: apply a trained model to images."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from largebatch.cli.commands import Commands, add_command
from largebatch.cli.status import DONE
from largebatch.terminal.say import say


def add(commands: Commands) -> None:
    """The command and its options."""
    parser = add_command(commands, "predict", run, "Apply a trained model to images and print CSV.")
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a run that has been trained")
    parser.add_argument(
        "images", type=Path, metavar="IMAGES", help="IDX, .npy or PNG file, or folder of PNG files"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="file to write to (default: standard output)"
    )


def run(options: argparse.Namespace) -> int:
    """Write the predictions as CSV."""
    from largebatch.models.predict import predict

    predictions = predict(options.run, options.images, say)
    predictions.to_csv(options.out or sys.stdout, index=False)
    return DONE
