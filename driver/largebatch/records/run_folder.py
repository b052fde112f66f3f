"""The folder of a run. No other module knows its file names.

config.json     all settings        checkpoints/E/  state after epoch E (parameters, metrics), valid
versions.json   of what ran it                      once its manifest.json is there and fits
metrics.csv     a row per epoch     model.npz       the trained arrays, by name
log.txt         Spark's output      result.json     last of all; absent or not "finished" before
evaluations.csv, snapshots/   accuracies within epochs, of runs that ask for them
staleness.csv   of the gradients of each epoch, of runs that are not bulk-synchronous
shapes          of the arrays       columns         of a checkpoint's metrics; missing in
                                                    folders of older versions
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pandas as pd

from largebatch.data import Dataset
from largebatch.data.dataset import Images
from largebatch.data.look import Look
from largebatch.errors import UserError
from largebatch.files.lock import LOCK, locked
from largebatch.files.matrices import Matrix, read_matrix
from largebatch.files.names import check_local, check_path
from largebatch.files.safe import part_of, read_file, read_json, write_atomically
from largebatch.records.arrays import read_arrays, read_moments, write_arrays
from largebatch.records.checkpoints import Checkpoints
from largebatch.records.evaluations import Evaluations
from largebatch.records.metrics import (
    MAX_METRICS,
    append,
    from_matrix,
    no_epochs,
    parse_columns,
    parse_metrics,
)
from largebatch.records.result import EpochRow, Result
from largebatch.records.staleness import publish_staleness, read_staleness
from largebatch.settings.execution import Execution
from largebatch.settings.networks import Network
from largebatch.settings.training import Training

_CONFIG = {"training": dict, "execution": dict, "data": dict}  # what config.json holds
_DATA = {
    "height": int, "width": int, "classes": int, "channels": int, "pixel_scale": int, "fingerprint": str,
}  # fmt: skip
_RESTORE = "restore the file, or begin the run anew in another folder"
_DATA_OF_OLD = {"channels": 1, "pixel_scale": 255}  # in older folders, whose images were all grey bytes


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()


def _lacking(values: Any, wanted: Mapping[str, type]) -> list[str]:
    """Names that the values read from a file lack, or have with a value of another type."""
    there = values if isinstance(values, dict) else {}
    return [name for name, kind in wanted.items() if not isinstance(there.get(name), kind)]


class RunFolder:
    """A run's folder. Nothing is read or written before it is asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = path / "log.txt"
        self.result_file = path / "result.json"
        self.versions_file = path / "versions.json"
        self.metrics_file = path / "metrics.csv"
        self.staleness_file = path / "staleness.csv"
        self.model_file = path / "model.npz"
        self.evaluations = Evaluations(path)
        self._config = path / "config.json"
        self._checkpoints = Checkpoints(path / "checkpoints")

    # ---- creation ----

    @classmethod
    def create(
        cls,
        path: Path,
        training: Training,
        execution: Execution,
        dataset: Dataset,
        data_dir: Path | None = None,
    ) -> RunFolder:
        """A new folder with the configuration in it. Raises UserError if the folder can't take a run.

        `data_dir` is the folder that the user named for the data.
        """
        folder = cls(path)
        check_local(path)
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
                "data": {
                    **asdict(dataset.images),
                    "fingerprint": dataset.origin,
                    "look": dataset.train.look.to_mapping(),
                    **({"folder": str(data_dir.absolute())} if data_dir else {}),
                    **({"class_names": dataset.names} if dataset.names else {}),
                },
                "reproducible": training.reproducible,
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

    def look(self) -> Look | None:
        """What the images looked like that the run is trained on; None in folders of older versions."""
        return Look.from_mapping(self._read_config()["data"].get("look"))

    def class_names(self) -> tuple[str, ...]:
        """Names of classes 0, 1, ...; none if they are not known, as in folders of older versions.

        Raises UserError as `settings` does.
        """
        values = self._read_config()["data"]
        names = values.get("class_names", [])
        if names and (not isinstance(names, list) or len(names) != values["classes"]):
            raise UserError(
                f"{self._config}: class_names must be a list of {values['classes']} names; {_RESTORE}"
            )
        return tuple(map(str, names))

    def data_dir(self) -> Path | None:
        """The folder that the user named for the data, if it is still there.

        Raises UserError as `settings` does.
        """
        named = self._read_config()["data"].get("folder")
        return Path(named) if isinstance(named, str) and Path(named).is_dir() else None

    def fingerprint(self) -> str:
        """That of the data that the run is trained on. Raises UserError as `settings` does."""
        return str(self._read_config()["data"]["fingerprint"])

    def check_data(self, dataset: Dataset) -> None:
        """Raises UserError if the run was begun on other data."""
        if self.fingerprint() != dataset.origin:
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
            raise UserError(
                f"{self._config} can't be read as a run's settings: {error}; {_RESTORE}"
            ) from error
        lacking = _lacking(values, _CONFIG)
        if not lacking:
            values["data"] = _DATA_OF_OLD | values["data"]
            lacking = _lacking(values["data"], _DATA)
        if lacking:
            raise UserError(f"{self._config} is no run's settings: it lacks {', '.join(lacking)}; {_RESTORE}")
        return values

    def lock(self) -> contextlib.AbstractContextManager[None]:
        """Hold the folder for this process. Raises InUseError if another one has it.

        Raises UserError if there are links in the folder: writing would change what they point to.
        """
        for pattern in ("*", "checkpoints/*", "checkpoints/*/*", "snapshots/*", "snapshots/*/*"):
            for there in self.path.glob(pattern):
                if there.is_symlink():
                    raise UserError(f"{there} is a link, through which a run does not write: remove it")
        return locked(self.path)

    def write_versions(self, versions: dict[str, Any]) -> None:
        """Record the versions of the programs that run it."""
        write_atomically(self.versions_file, _json(versions))

    def versions(self) -> dict[str, Any]:
        """The recorded versions; empty if the file is missing or damaged."""
        try:
            versions = read_json(self.versions_file)
        except (OSError, ValueError):
            return {}
        return versions if isinstance(versions, dict) else {}

    # ---- epochs ----

    def checkpoint(self, epoch: int) -> Path:
        """Folder of the state after an epoch, counted from 1."""
        return self._checkpoints.folder(epoch)

    def last_epoch(self) -> int:
        """The epoch of the newest valid checkpoint; 0 if there is none."""
        return self._checkpoints.last()

    def damaged_epochs(self) -> list[int]:
        """Epochs newer than the last valid checkpoint whose own was committed and has since been damaged."""
        return self._checkpoints.damaged()

    def commit(self, epoch: int, network: Network) -> EpochRow:
        """Make a checkpoint that train.dml has written valid, and return the epoch's row.

        Appends to metrics.csv, writes staleness.csv and removes old checkpoints.
        """
        self._checkpoints.commit(epoch)
        table = self._rows_until(epoch, network)
        append(self.metrics_file, table)
        publish_staleness(self.checkpoint(epoch), self.staleness_file)
        self._checkpoints.remove_older(epoch)
        return EpochRow.from_mapping(table.iloc[-1].to_dict())

    def rewind(self, network: Network) -> int:
        """Remove everything after the last valid checkpoint; returns its epoch (0: start afresh)."""
        epoch = self.last_epoch()
        self._checkpoints.remove_newer(epoch)
        # The result goes first: a kill in between leaves no result whose epochs are gone.
        for file in (self.result_file, self.metrics_file, self.staleness_file):
            file.unlink(missing_ok=True)
        rows = self._rows_until(epoch, network) if epoch else no_epochs()
        self.evaluations.rewind(int(rows["updates"].max()) if epoch else 0)
        if epoch:
            self._write_rows(epoch, rows)
        return epoch

    def keeps(self, result: Result) -> bool:
        """Whether metrics.csv has the epochs that a result counts."""
        try:
            return len(self.metrics()) == result.epochs
        except UserError:
            return False

    def restore_metrics(self, result: Result, network: Network) -> None:
        """Write metrics.csv and staleness.csv anew from the checkpoint of a result, which stays.

        Raises UserError without that checkpoint: to train again would throw away what was computed.
        """
        if self.last_epoch() != result.epochs:
            raise UserError(
                f"{self.metrics_file} does not have the {result.epochs} epochs of result.json, and no "
                f"checkpoint has them: restore the file, or remove {self.path} to train the run anew"
            )
        rows = self._rows_until(result.epochs, network)
        self.metrics_file.unlink(missing_ok=True)
        self._write_rows(result.epochs, rows)

    def _write_rows(self, epoch: int, rows: pd.DataFrame) -> None:
        append(self.metrics_file, rows)
        publish_staleness(self.checkpoint(epoch), self.staleness_file)

    def _rows_until(self, epoch: int, network: Network) -> pd.DataFrame:
        """The rows up to an epoch, as train.dml wrote them. Raises UserError for other rows."""
        state = self.checkpoint(epoch)
        try:
            table = from_matrix(read_matrix(state / "metrics"), self._columns(), network)
        except (ValueError, OverflowError) as error:
            raise UserError(f"{state / 'metrics'} is no record of epochs: remove {state}") from error
        if list(table["epoch"]) != list(range(1, epoch + 1)):
            raise UserError(f"{state / 'metrics'} does not have the epochs 1 to {epoch}: remove {state}")
        return table

    def staleness(self) -> pd.DataFrame:
        """The rows of staleness.csv: see records/staleness. Raises UserError if it is damaged."""
        return read_staleness(self.staleness_file)

    def _columns(self) -> list[str] | None:
        """The columns of the checkpoints' metrics; None in a folder of an older version."""
        try:
            return parse_columns(read_file(self.path / "columns"))
        except FileNotFoundError:
            return None

    def metrics(self) -> pd.DataFrame:
        """A row per finished epoch. Raises UserError if the file is missing or damaged."""
        try:
            return parse_metrics(read_file(self.metrics_file, MAX_METRICS))
        except OSError as error:
            raise UserError(f"{self.metrics_file} can't be read: {error.strerror}") from error
        except ValueError as error:
            raise UserError(f"{self.metrics_file} {error}") from error

    # ---- the end ----

    def write_model(self, epoch: int, network: Network) -> None:
        """model.npz: the arrays of the state after an epoch, by name, in their shapes."""
        write_arrays(self.model_file, self.arrays(epoch, network))

    def arrays(self, epoch: int, network: Network) -> dict[str, Matrix]:
        """The network's arrays after an epoch, moments last. Raises UserError if the files don't fit."""
        checkpoint = self.checkpoint(epoch)
        arrays = read_arrays(checkpoint / "parameters", self.path / "shapes", network)
        if network.norms:
            arrays |= read_moments(checkpoint / "moments", arrays, network)
        return arrays

    def result(self) -> Result | None:
        """The recorded result; None if the file is missing or damaged."""
        try:
            return Result.from_mapping(read_json(self.result_file))
        except (OSError, ValueError):
            return None

    def write_result(self, result: Result) -> None:
        """result.json, whole or not at all."""
        write_atomically(self.result_file, _json(result.to_mapping()))
