"""`largebatch export`: a run's model as a file, or a run's or study's course in a program for experiments."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from largebatch.errors import RunError, UserError
from largebatch.export.onnx_model import onnx_bytes
from largebatch.export.torch_model import safetensors_bytes
from largebatch.export.tracker import open_tracker, tracked
from largebatch.files.safe import write_atomically
from largebatch.models.model import Model
from largebatch.records.reading import is_study
from largebatch.records.run_folder import RunFolder
from largebatch.terminal.say import Say

WRITERS: dict[str, Callable[[Model, str], bytes]] = {"onnx": onnx_bytes, "safetensors": safetensors_bytes}


def export(path: Path, target: str, out: Path | None, say: Say) -> str:
    """Export a run, or for trackers a run or study; returns where the result is.

    Raises UserError for folders and options that do not fit, and for missing packages; RunError if the
    target can't be written.
    """
    if target in WRITERS:
        return str(_export_model(path, target, out, say))
    if out is not None:
        raise UserError(f"--out is for models: where runs go, {target} decides; leave it out")
    return _export_runs(path, target)


def _export_model(path: Path, target: str, out: Path | None, say: Say) -> Path:
    if is_study(path):
        raise UserError(
            f"{path} is a study; --to {target} is for the model of a run: name a folder in {path}/runs"
        )
    folder = RunFolder(path)
    file = out or path / f"model.{target}"
    data = WRITERS[target](Model.of_run(folder, say), folder.fingerprint())
    try:
        write_atomically(file, data)
    except OSError as error:
        raise RunError(f"{file} cannot be written: {error.strerror or error}") from error
    return file


def _export_runs(path: Path, target: str) -> str:
    runs = list(tracked(path))
    if not runs:
        raise UserError(f"{path} has no run that has begun: there is nothing to export")
    tracker = open_tracker(target, path)
    try:
        for run in runs:
            tracker.sync(run)
        tracker.close()
    except Exception as error:  # of somebody else's program
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise RunError(f"{target} did not take the runs: {reason}") from error
    return tracker.where
