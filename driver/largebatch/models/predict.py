"""A trained model applied to images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from largebatch.data.pictures import read_images
from largebatch.data.unlike import NONE, Adjustment, remarks
from largebatch.files.matrices import Matrix
from largebatch.models.model import Model
from largebatch.records.run_folder import RunFolder
from largebatch.terminal.say import Say


def predict(run: Path, images: Path, say: Say, wanted: Adjustment = NONE) -> pd.DataFrame:
    """Classes and probabilities: columns image, class, p0, p1, ..., a row per image.

    Where classes have names, a column `name` follows `class`. Pixels are first adjusted as `wanted`; images
    that still look unlike the training images are remarked on.
    Raises UserError for a folder without a trained model and for unusable images.
    """
    folder = RunFolder(run)
    model = Model.of_run(folder, say)
    names, pixels = read_images(images, model.images, wanted, folder.look(), model.training.reading)
    for remark in remarks(pixels, model.images, folder.look(), str(images)):
        say(remark)
    return _table(names, model.probabilities(pixels), model.class_names)


def _table(names: list[str], probabilities: Matrix, class_names: Sequence[str]) -> pd.DataFrame:
    table = pd.DataFrame(probabilities, columns=[f"p{k}" for k in range(probabilities.shape[1])])
    classes = probabilities.argmax(axis=1)
    table.insert(0, "class", classes)
    if class_names:
        table.insert(1, "name", [class_names[k] for k in classes])
    table.insert(0, "image", names)
    return table
