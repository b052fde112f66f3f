"""The folder of a run: the one place that knows its file names, and how they are written and read.

config.json     all settings        checkpoints/E/  state after epoch E (parameters, metrics), valid
versions.json   of what ran it                      once its manifest.json is there and fits
metrics.csv     a row per epoch     model.npz       the trained arrays, by name
log.txt         Spark's output      result.json     last of all; absent or not "finished" before
"""

from __future__ import annotations

import contextlib
import csv
import fcntl
import hashlib
import io
import json
import os
import re
import shutil
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from largebatch.data import Dataset
from largebatch.data.dataset import Images
from largebatch.errors import UserError
from largebatch.files.names import check_path
from largebatch.files.safe import no_link, part_of, read_file, read_json, write_atomically
from largebatch.settings.execution import Execution
from largebatch.settings.networks import Network
from largebatch.settings.training import Training

Matrix = npt.NDArray[np.float64]

EPOCH_COLUMNS = (
    "epoch",
    "updates",
    "examples",
    "learning_rate",
    "train_loss",
    "train_accuracy",
    "test_loss",
    "test_accuracy",
    "seconds",
    "evaluation_seconds",
)
GROUP_COLUMNS = ("weight_norm", "gradient_norm", "trust_ratio")
_CONFIG = {"training": dict, "execution": dict, "data": dict}  # what config.json holds
_DATA = {
    "height": int, "width": int, "classes": int, "channels": int, "pixel_scale": int, "fingerprint": str,
}  # fmt: skip
_DATA_OF_OLD = {"channels": 1, "pixel_scale": 255}  # where it doesn't say so: all images were grey bytes
_TEXTS_OF_RESULT = ("dataset", "network", "optimizer", "status", "reason", "folder")
_NUMBERS_OF_RESULT = (
    "batch_size", "epochs", "updates", "train_accuracy", "test_accuracy", "generalization_error",
    "seconds", "seed",
)  # fmt: skip
MAX_METRICS = 64 * 2**20  # bytes of metrics.csv; a row has about 500
MAX_COLUMNS = 1000
_RANGES = (  # of columns of metrics.csv that reports calculate with; losses may be anything
    (("updates", "examples"), 1, 2**53),
    (("train_accuracy", "test_accuracy"), 0, 1),
    (("seconds",), 1e-9, 1e9),
    (("evaluation_seconds",), 0, 1e9),
)
LOCK = "lock"
KEPT_CHECKPOINTS = 2  # the newest, and the one before in case the newest is damaged


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()


def _lacking(values: Any, wanted: Mapping[str, type]) -> list[str]:
    """Names that what was read from a file lacks, or has with a value of another type."""
    there = values if isinstance(values, dict) else {}
    return [name for name, kind in wanted.items() if not isinstance(there.get(name), kind)]


def _is_result(values: Any) -> bool:
    """Whether values read from a file can be shown as a result."""
    return not _lacking(values, {"status": str}) and all(
        isinstance(value, str if name in _TEXTS_OF_RESULT else int | float | None)
        for name, value in values.items()
        if name in (*_TEXTS_OF_RESULT, *_NUMBERS_OF_RESULT)
    )


def _sha256(path: Path) -> str:
    with open(path, "rb", opener=no_link) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_matrix(path: Path) -> Matrix:
    """A matrix that SystemDS wrote as CSV, every double exactly. Raises ValueError and OSError."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an empty file, which is said below
        matrix = np.loadtxt(path, delimiter=",", ndmin=2, dtype=np.float64)
    if not matrix.size:
        raise ValueError(f"{path} is empty")
    return matrix


def parse_metrics(data: bytes) -> pd.DataFrame:
    """The rows of metrics.csv; a last line that is still being written does not count.

    Raises ValueError, which goes on after the file's name, for what a run does not write.
    """
    lines = data[: data.rfind(b"\n") + 1].splitlines()
    if not lines:
        return pd.DataFrame(columns=list(EPOCH_COLUMNS))
    if len({line.count(b",") for line in lines}) > 1:
        raise ValueError("has rows of unequal length")
    if lines[0].count(b",") >= MAX_COLUMNS:
        raise ValueError(f"has more than {MAX_COLUMNS} columns")
    try:  # since pandas 3 every double is exactly what it was
        table = pd.read_csv(
            io.BytesIO(b"\n".join(lines)), index_col=False, quoting=csv.QUOTE_NONE, low_memory=False
        )
    except ValueError as error:
        raise ValueError(f"can't be read: {error}") from error
    _check_metrics(table)
    return table.astype(dict.fromkeys(("updates", "examples"), "int64"))


def _check_metrics(table: pd.DataFrame) -> None:
    missing = [column for column in EPOCH_COLUMNS if column not in table]
    if missing:
        raise ValueError(f"lacks {', '.join(missing)}")
    numbers = table.select_dtypes("number")
    texts = [str(name) for name in table if name not in numbers]
    if texts and len(table):
        raise ValueError(f"has values that are no numbers in {', '.join(texts)}")
    if list(table["epoch"]) != list(range(1, len(table) + 1)):
        raise ValueError("does not have the epochs 1, 2, 3 ... in this order")
    if table[["train_accuracy", "test_accuracy", "seconds"]].isna().any(axis=None):
        raise ValueError("has empty accuracies or seconds")
    for names, low, high in _RANGES:
        for name in names:
            if not table[name].between(low, high).all():
                raise ValueError(f"has {name} that are not from {low:g} to {high:g}")


class InUseError(UserError):
    """A folder that another process holds."""


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder for this process. Raises InUseError if another one has it, UserError if none can."""
    try:
        opened = open(folder / LOCK, "ab", opener=no_link)  # noqa: SIM115 - closed below
    except OSError as error:
        raise UserError(f"{folder / LOCK} can't be opened: {error.strerror}") from error
    with opened as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUseError(f"{folder} is in use by another process: wait for it, or stop it") from None
        yield


class RunFolder:
    """A run's folder. Nothing is read or written before it is asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = path / "log.txt"
        self.result_file = path / "result.json"
        self.versions_file = path / "versions.json"
        self.metrics_file = path / "metrics.csv"
        self.model_file = path / "model.npz"
        self._config = path / "config.json"
        self._checkpoints = path / "checkpoints"

    # ---- creation ----

    @classmethod
    def create(cls, path: Path, training: Training, execution: Execution, dataset: Dataset) -> RunFolder:
        """A new folder with the configuration in it. Raises UserError if a run is or can't be there."""
        folder = cls(path)
        check_path(path.absolute())
        try:
            path.mkdir(parents=True, exist_ok=True)
            unimportant = (LOCK, part_of(folder._config).name)  # of a creation that was killed
            if any(there.name not in unimportant for there in path.iterdir()):
                raise UserError(
                    f"{path} is not empty: name another folder by --out, or go on with --resume {path}"
                )
            settings = {
                "training": training.to_mapping(),
                "execution": execution.to_mapping(),
                "data": {**asdict(dataset.images), "fingerprint": dataset.origin},
            }
            write_atomically(folder._config, _json(settings))
        except OSError as error:
            raise UserError(
                f"{path} cannot be made a run's folder: {error.strerror}; name another by --out"
            ) from error
        return folder

    def exists(self) -> bool:
        """Whether a run was begun here."""
        return self._config.exists()

    def settings(self) -> tuple[Training, Execution]:
        """The run's settings. Raises UserError if this is no run's folder or its file is damaged."""
        values = self._read_config()
        try:
            return Training.from_mapping(values["training"]), Execution.from_mapping(values["execution"])
        except UserError as error:
            raise UserError(f"{self._config}: {error}") from error

    def images(self) -> Images:
        """Size of the images that the run is trained on. Raises UserError as `settings` does."""
        values = self._read_config()["data"]
        return Images(**{size.name: values[size.name] for size in fields(Images)})

    def check_data(self, dataset: Dataset) -> None:
        """Raises UserError if the run was begun on other data."""
        if self._read_config()["data"]["fingerprint"] != dataset.origin:
            raise UserError(
                f"{self.path} was begun on other data than the {dataset.title} found now: "
                "name the folder of that data by --data-dir"
            )

    def _read_config(self) -> Any:
        try:
            values = read_json(self._config)
        except FileNotFoundError:
            raise UserError(f"{self.path} is not the folder of a run: it has no config.json") from None
        except (OSError, ValueError) as error:
            raise UserError(f"{self._config} can't be read as a run's settings: {error}") from error
        lacking = _lacking(values, _CONFIG)
        if not lacking:
            values["data"] = _DATA_OF_OLD | values["data"]
            lacking = _lacking(values["data"], _DATA)
        if lacking:
            raise UserError(f"{self._config} is no run's settings: it lacks {', '.join(lacking)}")
        return values

    def lock(self) -> contextlib.AbstractContextManager[None]:
        """Hold the folder for this process. Raises InUseError if another one has it.

        Raises UserError if there are links in the folder: writing would change what they point to.
        """
        for pattern in ("*", "checkpoints/*", "checkpoints/*/*"):
            for there in self.path.glob(pattern):
                if there.is_symlink():
                    raise UserError(f"{there} is a link, through which a run does not write: remove it")
        return locked(self.path)

    def write_versions(self, versions: dict[str, Any]) -> None:
        """Record what the run was computed with."""
        write_atomically(self.versions_file, _json(versions))

    def versions(self) -> dict[str, Any]:
        """What write_versions wrote last; empty if there is no such file or it is damaged."""
        try:
            versions = read_json(self.versions_file)
        except (OSError, ValueError):
            return {}
        return versions if isinstance(versions, dict) else {}

    # ---- epochs ----

    def checkpoint(self, epoch: int) -> Path:
        """Folder of the state after an epoch, counted from 1."""
        return self._checkpoints / str(epoch)

    def commit(self, epoch: int, network: Network) -> pd.Series[float]:
        """Make the state that train.dml has written after an epoch the one to resume from.

        Appends to metrics.csv, removes old checkpoints, returns the epoch's row.
        """
        state = self.checkpoint(epoch)
        hashes = {name: _sha256(state / name) for name in ("parameters", "metrics")}
        write_atomically(self._manifest(epoch), _json(hashes))
        metrics = self._read_metrics(epoch, network)
        self._append_metrics(metrics)
        for old in self._epochs_on_disk():
            if old <= epoch - KEPT_CHECKPOINTS:
                shutil.rmtree(self.checkpoint(old), ignore_errors=True)
        return metrics.iloc[-1]

    def last_epoch(self) -> int:
        """The last epoch whose state is whole; 0 if none."""
        return max((e for e in self._epochs_on_disk() if self._is_whole(e)), default=0)

    def damaged_epochs(self) -> list[int]:
        """Epochs after the last whole one whose state was whole once, and is not any more."""
        last = self.last_epoch()
        return [e for e in self._epochs_on_disk() if e > last and self._manifest(e).exists()]

    def rewind(self, network: Network) -> int:
        """Forget everything after the last whole checkpoint; returns its epoch (0: start afresh)."""
        epoch = self.last_epoch()
        for other in self._epochs_on_disk():
            if other > epoch:
                shutil.rmtree(self.checkpoint(other))
        self.metrics_file.unlink(missing_ok=True)
        self.result_file.unlink(missing_ok=True)
        if epoch:
            self._append_metrics(self._read_metrics(epoch, network))
        return epoch

    def _epochs_on_disk(self) -> list[int]:
        if not self._checkpoints.is_dir():
            return []
        folders = (p.name for p in self._checkpoints.iterdir() if p.is_dir() and not p.is_symlink())
        return sorted(int(name) for name in folders if re.fullmatch("[1-9][0-9]{0,9}", name))

    def _manifest(self, epoch: int) -> Path:
        return self.checkpoint(epoch) / "manifest.json"

    def _is_whole(self, epoch: int) -> bool:
        state = self.checkpoint(epoch)
        try:
            hashes = read_json(self._manifest(epoch))
            return all(_sha256(state / name) == hashes[name] for name in ("parameters", "metrics"))
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def _read_metrics(self, epoch: int, network: Network) -> pd.DataFrame:
        """The rows up to an epoch, as train.dml wrote them. Raises UserError if they are others'."""
        state = self.checkpoint(epoch)
        try:
            metrics = self._table(read_matrix(state / "metrics"), network)
        except (ValueError, OverflowError) as error:
            raise UserError(f"{state / 'metrics'} is no record of epochs: remove {state}") from error
        if list(metrics["epoch"]) != list(range(1, epoch + 1)):
            raise UserError(f"{state / 'metrics'} does not have the epochs 1 to {epoch}: remove {state}")
        return metrics

    @staticmethod
    def _table(values: Matrix, network: Network) -> pd.DataFrame:
        groups = (values.shape[1] - len(EPOCH_COLUMNS)) // len(GROUP_COLUMNS)
        names = network.layers if groups == len(network.layers) else network.arrays
        columns = [*EPOCH_COLUMNS, *(f"{name}_{column}" for name in names for column in GROUP_COLUMNS)]
        metrics = pd.DataFrame(values, columns=columns).astype(
            {"epoch": int, "updates": int, "examples": int}
        )
        examples = metrics["examples"].diff().fillna(metrics["examples"])  # of each epoch
        metrics.insert(EPOCH_COLUMNS.index("seconds") + 1, "images_per_second", examples / metrics["seconds"])
        return metrics

    def _append_metrics(self, metrics: pd.DataFrame) -> None:
        """Bring metrics.csv up to the given epochs: append the rows it lacks."""
        have = 0
        if self.metrics_file.exists():
            have = max(self.metrics_file.read_bytes().count(b"\n") - 1, 0)
        with open(self.metrics_file, "a", encoding="utf-8", newline="", opener=no_link) as file:
            metrics.iloc[have:].to_csv(file, index=False, header=have == 0)
            file.flush()
            os.fsync(file.fileno())

    def metrics(self) -> pd.DataFrame:
        """A row per epoch that has ended. Raises UserError if the file is not there or damaged."""
        try:
            return parse_metrics(read_file(self.metrics_file, MAX_METRICS))
        except OSError as error:
            raise UserError(f"{self.metrics_file} can't be read: {error.strerror}") from error
        except ValueError as error:
            raise UserError(f"{self.metrics_file} {error}") from error

    # ---- the end ----

    def write_model(self, epoch: int, network: Network) -> None:
        """model.npz: the arrays of the state after an epoch, by name, in their shapes."""
        arrays = self.arrays(epoch, network)
        part = self.model_file.with_name(".model.part.npz")
        part.unlink(missing_ok=True)
        np.savez(part, **arrays)  # type: ignore[arg-type]
        part.replace(self.model_file)

    def arrays(self, epoch: int, network: Network) -> dict[str, Matrix]:
        """The network's parameter arrays after an epoch. Raises UserError if the files are others'."""
        try:
            weights = read_matrix(self.checkpoint(epoch) / "parameters")[:, 0]
            sides = read_matrix(self.path / "shapes")[:, :2]
            if not (np.abs(sides) < 2**31).all():  # nor NaN
                raise ValueError("shapes are no whole numbers")
            shapes = sides.astype(int)
            ends = np.cumsum(shapes.prod(axis=1))
            parts = np.split(weights, ends[:-1])
            triples = zip(network.arrays, parts, shapes, strict=True)
            return {name: part.reshape(shape) for name, part, shape in triples}
        except (ValueError, OverflowError, IndexError) as error:
            raise UserError(
                f"the parameters in {self.checkpoint(epoch)} don't fit {self.path / 'shapes'}"
            ) from error

    def result(self) -> dict[str, Any] | None:
        """What write_result wrote; None if there is no such file or it is damaged."""
        try:
            result = read_json(self.result_file)
        except (OSError, ValueError):
            return None
        return result if _is_result(result) else None

    def write_result(self, result: dict[str, Any]) -> None:
        """result.json, whole or not at all."""
        write_atomically(self.result_file, _json(result))
