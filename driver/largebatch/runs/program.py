"""The one translation from settings to the arguments of dml/train.dml."""

from __future__ import annotations

from pathlib import Path

from largebatch.data.dataset import Images, PreparedData
from largebatch.files.names import Argument
from largebatch.records.metrics import PARTS
from largebatch.settings.execution import Execution
from largebatch.settings.training import Training
from largebatch.settings.values import declared


def train_arguments(
    training: Training, mode: str, data: PreparedData, out: Path, resume: Path | None
) -> dict[str, Argument]:
    """The arguments of train.dml for a run, by name; `resume` is the folder of a checkpoint.

    Settings that don't belong to the run's choices are left out: train.dml has defaults for them.
    """
    return {
        **{name: str(file) for name, file in data.matrices.items()},
        **_image_arguments(data.images),
        **training.dml_arguments(),
        **declared(Execution)["mode"].arguments(mode),
        "out": str(out),
        "resume": "" if resume is None else str(resume),
    }


def evaluate_arguments(
    training: Training, mode: str, data: PreparedData, part: str, weights: Path
) -> dict[str, Argument]:
    """The arguments of evaluate.dml for weights in a file, on a part of the data."""
    return {
        **_image_arguments(data.images),
        **training.dml_arguments(),
        "images": str(data.matrix(f"{part}_images")),
        "labels": str(data.matrix(f"{part}_labels")),
        "part": PARTS.index(part) + 1,
        "weights": str(weights),
        **declared(Execution)["mode"].arguments(mode),
        **moments_argument(weights),
    }


def moments_argument(weights: Path) -> dict[str, Argument]:
    """The file of a network's moments beside that of its weights, if there is one."""
    moments = weights.with_name("moments")
    return {"moments": str(moments)} if moments.exists() else {}


def _image_arguments(images: Images) -> dict[str, Argument]:
    return {
        "channels": images.channels,
        "height": images.height,
        "width": images.width,
        "classes": images.classes,
        "pixel_scale": images.pixel_scale,
    }
