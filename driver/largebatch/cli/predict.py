"""`largebatch predict`: apply a trained model to images."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from largebatch.cli.commands import Commands, add_command
from largebatch.cli.parsing import factor
from largebatch.cli.status import DONE
from largebatch.errors import UserError
from largebatch.terminal.say import say


def add(commands: Commands) -> None:
    """The command and its options."""
    parser = add_command(commands, "predict", run, "Apply a trained model to images and print CSV.")
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a run that has been trained")
    parser.add_argument(
        "images", type=Path, metavar="IMAGES", help="IDX, .npy, PNG or JPEG file, or folder of pictures"
    )
    parser.add_argument(
        "--scale",
        type=factor,
        metavar="FACTOR",
        help="multiply all pixels first, such as 255 if they are 0..1 and the model was trained on bytes",
    )
    parser.add_argument(
        "--invert",
        action="store_true",
        help="exchange light and dark (after --scale), such as for dark ink on a light ground",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="file to write to (default: standard output)"
    )


def run(options: argparse.Namespace) -> int:
    """Write the predictions as CSV."""
    from largebatch.data.unlike import Adjustment
    from largebatch.models.predict import predict

    if options.out and (options.out.is_dir() or not options.out.absolute().parent.is_dir()):
        raise UserError(f"--out {options.out} is no file in a folder that is there: name another")
    predictions = predict(options.run, options.images, say, Adjustment(options.scale, options.invert))
    predictions.to_csv(options.out or sys.stdout, index=False)
    return DONE
