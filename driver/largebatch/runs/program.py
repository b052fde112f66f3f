"""The one translation from settings to the arguments of dml/train.dml. Pure."""

from __future__ import annotations

from pathlib import Path

from largebatch.data.dataset import Images, PreparedData
from largebatch.files.names import Argument
from largebatch.settings.execution import MODES
from largebatch.settings.networks import PADDINGS
from largebatch.settings.training import Training


def train_arguments(
    training: Training, mode: str, data: PreparedData, out: Path, resume: Path | None
) -> dict[str, Argument]:
    """Every argument of train.dml, by its name; `resume` is the folder of a checkpoint."""
    t = training
    assert t.learning_rate is not None  # noqa: S101 - set by Training itself
    return {
        **{name: str(file) for name, file in data.matrices.items()},
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
        "pixel_scale": images.pixel_scale,
        "micro_batch": training.micro_batch,
    }
