"""Runs in MLflow: settings, metrics per epoch and files; the runs of a study below a run of its own.

Where they go is MLflow's affair: its environment variables say so, or its default does. A run of ours is
found again by a tag, so that another export, or a resumed run, adds to it.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from pathlib import Path
from typing import Any

from largebatch.export.need import need
from largebatch.export.tracker import Tracked
from largebatch.records.reading import NoResult
from largebatch.records.result import Status
from largebatch.records.run_folder import RunFolder

EXPERIMENT = "largebatch"  # unless the environment names another
KEY = "largebatch.key"
FILES = ("config.json", "versions.json", "metrics.csv", "result.json")
_STATES = {Status.FINISHED: "FINISHED", Status.DIVERGED: "FINISHED", Status.FAILED: "FAILED"}


class MLflow:
    """The experiment, through MLflow's client."""

    def __init__(self, mlflow: Any, path: Path) -> None:
        self._entities = mlflow.entities
        self._client = mlflow.MlflowClient()
        self._uri = str(mlflow.get_tracking_uri())
        self._path = path.absolute()
        self._experiment = ""
        self._parent = ""
        self._runs: dict[Path, str] = {}
        self._epochs: dict[Path, int] = {}
        self._ended: set[Path] = set()

    def sync(self, run: Tracked) -> None:
        """Add the epochs that are new, and at the end the state and the files."""
        key = run.folder.absolute()
        if key not in self._runs:
            self._begin(run, key)
        run_id, metrics = self._runs[key], run.record.metrics
        for row in metrics.iloc[self._epochs[key] :].to_dict("records"):
            self._log_epoch(run_id, {str(name): float(value) for name, value in row.items()})
            self._epochs[key] = int(row["epoch"])
        if run.record.status != NoResult.UNFINISHED and key not in self._ended:
            self._end(run, run_id)
            self._ended.add(key)

    def close(self) -> None:
        """End the run of the study, if there is one; all else has gone to the store."""
        if self._parent:
            done = len(self._ended) == len(self._runs)
            self._client.set_terminated(self._parent, "FINISHED" if done else "KILLED")

    @property
    def where(self) -> str:
        """The command that shows the runs, or the server that has them."""
        if self._uri.startswith(("http:", "https:", "databricks")):
            return self._uri
        return f"mlflow ui --backend-store-uri {self._uri}"

    def _begin(self, run: Tracked, key: Path) -> None:
        tags = {"largebatch.status": str(run.record.status)}
        if run.study:
            self._parent = self._find_or_make(self._path, run.study, {})
            tags["mlflow.parentRunId"] = self._parent
        run_id = self._find_or_make(key, run.record.name, tags)
        known = self._client.get_metric_history(run_id, "train_loss")
        self._runs[key], self._epochs[key] = run_id, max((entry.step for entry in known), default=0)
        if not known:
            folder = RunFolder(run.folder)
            fixed = {"largebatch.fingerprint": folder.fingerprint()} | {
                f"largebatch.{name}": str(value)
                for name, value in run.record.versions.items()
                if name in ("largebatch", "dml_sha256")
            }
            self._log_params(run_id, run.record.training.to_mapping(), fixed)

    def _log_params(self, run_id: str, settings: dict[str, Any], tags: dict[str, str]) -> None:
        params = [self._entities.Param(name, str(value)) for name, value in settings.items()]
        found = [self._entities.RunTag(name, value) for name, value in tags.items()]
        self._client.log_batch(run_id, params=params, tags=found)

    def _log_epoch(self, run_id: str, row: dict[str, float]) -> None:
        epoch, now = int(row.pop("epoch")), int(time.time() * 1000)
        values = [self._entities.Metric(name, value, now, epoch) for name, value in row.items()]
        self._client.log_batch(run_id, metrics=values)

    def _end(self, run: Tracked, run_id: str) -> None:
        for name in FILES:
            if (run.folder / name).is_file():
                self._client.log_artifact(run_id, str(run.folder / name))
        self._client.set_tag(run_id, "largebatch.status", str(run.record.status))
        state = _STATES.get(run.record.status) if isinstance(run.record.status, Status) else None
        self._client.set_terminated(run_id, state or "KILLED")

    def _find_or_make(self, path: Path, name: str, tags: dict[str, str]) -> str:
        """The identity of the run that stands for a folder."""
        key = hashlib.sha256(str(path).encode()).hexdigest()[:32]
        experiment = self._experiment_id()
        there = self._client.search_runs([experiment], f"tags.`{KEY}` = '{key}'", max_results=1)
        if there:
            return str(there[0].info.run_id)
        made = self._client.create_run(experiment, run_name=name, tags={**tags, KEY: key})
        return str(made.info.run_id)

    def _experiment_id(self) -> str:
        if not self._experiment:
            self._experiment = os.environ.get("MLFLOW_EXPERIMENT_ID", "")
        if not self._experiment:
            name = os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT)
            there = self._client.get_experiment_by_name(name)
            self._experiment = str(there.experiment_id if there else self._client.create_experiment(name))
        return self._experiment


def open_tracker(path: Path) -> MLflow:
    """For the runs of a folder. Raises UserError without mlflow."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # a run sends nothing that nobody asked for
    mlflow = need("mlflow", "track")
    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    return MLflow(mlflow, path)
