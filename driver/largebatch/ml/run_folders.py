"""A fitted model as the folder of a run, for the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from largebatch.data.dataset import Dataset, Part
from largebatch.errors import UserError
from largebatch.ml.gather import NAME, TITLE
from largebatch.ml.trained import Trained
from largebatch.records.arrays import moments_row
from largebatch.records.result import EpochRow, Result, Status
from largebatch.records.run_folder import RunFolder
from largebatch.settings.execution import Execution


def write_run(trained: Trained, path: Path) -> None:
    """Write a new folder, which `largebatch predict` reads. It has no rows to be trained on further.

    Raises UserError if the folder is not empty or the model has no history.
    """
    model, history = trained.model, trained.history
    if not len(history):
        raise UserError("this model has no summary, which the folder of a run must have")
    folder = RunFolder.create(path, model.training, Execution(mode="local"), _stand_in(trained))
    epoch = int(history["epoch"].iloc[-1])
    columns = [str(name) for name in history if name != "images_per_second"]
    network = model.training.architecture
    arrays = [model.arrays[name] for name in network.arrays]
    weights = np.concatenate([array.ravel() for array in arrays])
    checkpoint = folder.checkpoint(epoch)
    checkpoint.mkdir(parents=True)
    _write(checkpoint / "parameters", np.column_stack([weights, np.zeros_like(weights)]))
    if network.norms:
        _write(checkpoint / "moments", moments_row(model.arrays, network))
    _write(checkpoint / "metrics", history[columns].to_numpy(np.float64))
    _write(path / "shapes", np.array([array.shape for array in arrays]))
    (path / "columns").write_text(",".join(columns) + "\n")
    row = folder.commit(epoch, network)
    folder.write_model(epoch, network)
    folder.write_result(_result(trained, row, path))


def _stand_in(trained: Trained) -> Dataset:
    """A data set with a row of zeros: the size of the images and the number of classes are recorded."""
    images = trained.model.images
    X = np.zeros((1, *trained.model.shape), np.uint8 if images.in_bytes else np.float64)
    return Dataset(NAME, TITLE, Part(X, np.zeros(1, np.uint8)), least_classes=images.classes)


def _write(file: Path, matrix: Any) -> None:
    np.savetxt(file, matrix, fmt="%.17g", delimiter=",")


def _result(trained: Trained, row: EpochRow, path: Path) -> Result:
    training, history = trained.model.training, trained.history
    return Result(
        dataset=TITLE,
        network=training.network,
        optimizer=training.optimizer,
        batch_size=training.batch_size,
        epochs=row.epoch,
        updates=row.updates,
        train_accuracy=row.train_accuracy,
        test_accuracy=row.test_accuracy,
        generalization_error=None,
        seconds=float(history["seconds"].sum() + history["evaluation_seconds"].sum()),
        status=Status.FINISHED,
        seed=training.seed,
        folder=str(path),
        validation_accuracy=row.validation_accuracy,
    )
