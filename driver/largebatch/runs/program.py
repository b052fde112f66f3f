"""The one translation from settings to the arguments of dml/train.dml. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from largebatch.errors import UserError
from largebatch.settings.config import Training
from largebatch.settings.registry import MODES, PADDINGS

Argument = str | int | float | bool
DELIMITERS = "\u00b0\u00b7\u2021\u00b6"  # of operands in SystemDS' instructions, where they can't be escaped
PATTERNS = "*?[]{}\\"  # of names of files to read: such a file is written, and not found again


def check_path(path: Path | str, special: str = DELIMITERS + PATTERNS) -> None:
    """Raises UserError for a path, or other text, that SystemDS would take for something else."""
    text = str(path)
    found = "".join(c for c in special if c in text)
    if found:
        raise UserError(f"{text} has {found} in it, which SystemDS can't have in a path: take another folder")
    if any("\ud800" <= c <= "\udfff" for c in text):
        raise UserError(f"{text!r} is not Unicode, which SystemDS wants of a path: take another folder")


@dataclass(frozen=True)
class Images:
    """Size of the images of a data set and the number of its classes."""

    height: int
    width: int
    classes: int
    channels: int = 1


@dataclass(frozen=True)
class PreparedData:
    """A data set in SystemDS' binary format: four matrices in one folder."""

    folder: Path
    images: Images

    def matrix(self, name: str) -> Path:
        """File of train_images, train_labels, test_images or test_labels."""
        return self.folder / name


def train_arguments(
    training: Training, mode: str, data: PreparedData, out: Path, resume: Path | None
) -> dict[str, Argument]:
    """Every argument of train.dml, by its name; `resume` is the folder of a checkpoint."""
    t = training
    assert t.learning_rate is not None  # noqa: S101 - set by Training itself
    return {
        **{n: str(data.matrix(n)) for n in ("train_images", "train_labels", "test_images", "test_labels")},
        **network_arguments(t, data.images),
        "out": str(out),
        "resume": "" if resume is None else str(resume),
        "optimizer": t.optimizer,
        "learning_rate": float(t.learning_rate),
        "momentum": float(t.momentum),
        "weight_decay": float(t.weight_decay),
        "trust_coefficient": float(t.trust_coefficient),
        "scope": t.scope,
        "adapt_biases": t.adapt_biases,
        "schedule": t.schedule,
        "decay": float(t.decay),
        "power": float(t.power),
        "end_learning_rate": float(t.end_learning_rate),
        "factor": float(t.factor),
        "milestones": " ".join(repr(float(m)) for m in t.milestones),
        "milestone_count": len(t.milestones),
        "warmup_epochs": float(t.warmup_epochs),
        "batch_size": t.batch_size,
        "workers": t.workers,
        "epochs": t.epochs,
        "mode": MODES[mode],
        "deterministic": t.deterministic,
        "seed": t.seed,
    }


def network_arguments(training: Training, images: Images) -> dict[str, Argument]:
    """The arguments that train.dml and predict.dml share: network, images, memory."""
    return {
        "network": training.network,
        "padding": PADDINGS[training.padding],
        "channels": images.channels,
        "height": images.height,
        "width": images.width,
        "classes": images.classes,
        "pixel_scale": 255,
        "micro_batch": training.micro_batch,
    }
