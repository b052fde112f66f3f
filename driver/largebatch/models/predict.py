"""A trained model applied to images, by the same DML that trained it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from largebatch.data.pictures import read_images
from largebatch.engine.session import Session
from largebatch.errors import UserError
from largebatch.files.matrices import read_matrix
from largebatch.records.run_folder import RunFolder
from largebatch.runs.program import network_arguments
from largebatch.settings.execution import Execution
from largebatch.terminal.say import Say


def predict(run: Path, images: Path, say: Say) -> pd.DataFrame:
    """Classes and probabilities: columns image, class, p0, p1, ..., a row per image.

    Raises UserError for a folder without a trained model and for unusable images, RunError if SystemDS
    fails.
    """
    folder = RunFolder(run)
    training, _ = folder.settings()
    epoch = folder.last_epoch()
    if not epoch:
        raise UserError(f"{run} holds no trained model yet: train it with `largebatch train --resume {run}`")
    if folder.damaged_epochs():
        say(f"{run}: a newer checkpoint is damaged: that of epoch {epoch} is used")
    size = folder.images()
    names, pixels = read_images(images, size)
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        np.save(scratch / "images.npy", pixels.reshape(len(pixels), -1))
        arguments = network_arguments(training, size) | {
            "images": str(scratch / "images"),
            "parameters": str(folder.checkpoint(epoch).resolve() / "parameters"),
            "out": str(scratch / "probabilities"),
        }
        with Session(Execution(mode="local"), workers=1, log=scratch / "log.txt") as session:
            session.convert(scratch / "images.npy", scratch / "images")
            session.run("predict.dml", arguments, single_node=True)
        return _table(names, read_matrix(scratch / "probabilities"))


def _table(names: list[str], probabilities: np.ndarray) -> pd.DataFrame:
    table = pd.DataFrame(probabilities, columns=[f"p{k}" for k in range(probabilities.shape[1])])
    table.insert(0, "class", probabilities.argmax(axis=1))
    table.insert(0, "image", names)
    return table
