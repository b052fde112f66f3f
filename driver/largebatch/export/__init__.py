"""Runs and models in the formats of other programs: ONNX, safetensors, MLflow, TensorBoard."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

from largebatch.errors import UserError

MODELS = ("onnx", "safetensors")  # formats of a trained network
TRACKERS = {"mlflow": "mlflow", "tensorboard": "tensorboardX"}  # programs for experiments; packages


def parse_trackers(text: str) -> list[str]:
    """Names of trackers, separated by commas. Raises UserError for others, and without their packages."""
    names = list(dict.fromkeys(name.strip() for name in text.split(",")))
    if not all(name in TRACKERS for name in names):
        raise UserError(f"--track {text!r} must be {' or '.join(TRACKERS)}, or both, separated by a comma")
    require_packages(names)
    return names


def require_packages(names: Iterable[str]) -> None:
    """Raises UserError for a tracker whose package is not installed."""
    for name in names:
        if find_spec(TRACKERS[name]) is None:
            raise UserError(f"--track {name} needs {TRACKERS[name]}: pip install 'largebatch[track]'")
