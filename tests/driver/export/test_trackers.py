"""Runs in TensorBoard and MLflow: every epoch once, from files alone, and never to the harm of a run."""

from __future__ import annotations

import logging
import struct
import time
from pathlib import Path
from typing import Any

import pytest
from tensorboardX.proto.event_pb2 import Event

from largebatch.errors import RunError, UserError
from largebatch.export import parse_trackers, watch
from largebatch.export.command import export
from largebatch.export.tracker import Tracked, tracked
from largebatch.export.watch import watching
from largebatch.records.run_folder import RunFolder
from tests.support.patience import TIMEOUT_S
from tests.support.processes import wait_until
from tests.support.study_samples import LARS, SGD, finished_study, metrics, write_run


def scalars(folder: Path) -> dict[tuple[str, int], float]:
    """Values in the only event file of a folder, by metric and epoch."""
    (file,) = folder.glob("events.out.tfevents.*")
    data, found, count = file.read_bytes(), {}, 0
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        event = Event.FromString(data[12 : 12 + length])
        for value in event.summary.value:
            found[value.tag, event.step] = value.simple_value
            count += 1
        data = data[16 + length :]
    assert count == len(found), "no epoch twice"
    return found


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Two runs of three epochs."""
    return finished_study(tmp_path / "a study", [SGD, LARS])


def only_run(study: Path) -> Path:
    return next(run.folder for run in tracked(study))


# ---- TensorBoard ----


def test_a_study_in_tensorboard_has_a_folder_for_each_run_and_every_epoch(study: Path) -> None:
    root = study / "tensorboard"
    for _ in range(2):  # the second export writes the same anew
        assert export(study, "tensorboard", None, print) == f"tensorboard --logdir {root}"
        for run in tracked(study):
            found = scalars(root / run.record.name)
            table = run.record.metrics
            assert {step for _, step in found} == {1, 2, 3}
            assert {name for name, _ in found} == set(table) - {"epoch"}
            assert found["test_accuracy", 3] == pytest.approx(table["test_accuracy"].iloc[2])


def test_a_run_in_tensorboard(study: Path) -> None:
    run = only_run(study)
    export(run, "tensorboard", None, print)
    assert len({step for _, step in scalars(run / "tensorboard")}) == 3
    kinds = [type(handler) for handler in logging.getLogger("tensorboardX").handlers]
    assert logging.NullHandler in kinds, "losses that are no numbers are not remarked on"


# ---- refusals ----


def test_what_cannot_be_exported_is_refused(study: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a study; --to onnx is for the model of a run: name a folder in"):
        export(study, "onnx", None, print)
    with pytest.raises(UserError, match="--out is for models: where runs go, mlflow decides"):
        export(study, "mlflow", tmp_path, print)
    with pytest.raises(UserError, match="is not the folder of a run"):
        export(tmp_path, "tensorboard", None, print)
    with pytest.raises(UserError, match="holds no trained model yet"):
        export(only_run(study), "safetensors", None, print)


@pytest.mark.parametrize("text", ["wandb", "", "mlflow,", "tensorboard;mlflow"])
def test_trackers_that_do_not_exist_are_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"^--track .* must be mlflow or tensorboard, or both, separated by"):
        parse_trackers(text)


def test_a_tracker_without_its_package_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("largebatch.export.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"--track mlflow needs mlflow: pip install 'largebatch\[track\]'"):
        parse_trackers("mlflow")


def test_a_folder_that_cannot_be_written_is_a_failed_export(study: Path) -> None:
    (study / "tensorboard").write_text("a file in the way")
    with pytest.raises(RunError, match="tensorboard did not take the runs: "):
        export(study, "tensorboard", None, print)


# ---- while a run goes on ----


def test_a_run_is_followed_and_complete_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "PERIOD_S", 0.01)
    folder = RunFolder(tmp_path / "run")
    said: list[str] = []
    with watching(folder.path, ["tensorboard"], said.append):
        write_run(folder.path, LARS, status=None, epochs=2)
        wait_until(lambda: bool(list(folder.path.glob("tensorboard/*"))))  # it is seen before it ends
        metrics(LARS).to_csv(folder.metrics_file, index=False)
    assert {step for _, step in scalars(folder.path / "tensorboard")} == {1, 2, 3}
    assert said == []


class Broken:
    """A tracker whose program is down, or never answers."""

    where = ""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.calls = 0

    def sync(self, run: Tracked) -> None:
        self.calls += 1
        time.sleep(self.seconds)
        raise ConnectionError("the server is down\nand more")

    def close(self) -> None:
        raise AssertionError


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "--track mlflow failed: the server is down; the run goes on without it, and `largebatch export "),
        (600, "--track mlflow does not answer; the run is complete without it"),
    ],
)
def test_a_tracker_that_fails_ends_no_run(
    study: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, words: str
) -> None:
    broken = Broken(seconds)
    monkeypatch.setattr(watch, "open_tracker", lambda name, path: broken)
    monkeypatch.setattr(watch, "PERIOD_S", 0.01)
    monkeypatch.setattr(watch, "PATIENCE_S", 0.2 if seconds else TIMEOUT_S)
    said: list[str] = []
    with watching(study, ["mlflow"], said.append):
        wait_until(lambda: broken.calls > 0)
    assert broken.calls == 1, "it is left out from then on"
    assert len(said) == 1 and said[0].startswith(words)


# ---- MLflow ----


@pytest.fixture
def mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """MLflow with a store of its own."""
    module = pytest.importorskip("mlflow")
    monkeypatch.chdir(tmp_path)
    module.set_tracking_uri(f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "batches")
    yield module
    module.set_tracking_uri(None)


@pytest.mark.slow  # MLflow makes its database in a quarter of a minute
def test_a_study_in_mlflow_has_its_runs_below_it_with_every_epoch_once(study: Path, mlflow: Any) -> None:
    for _ in range(2):
        assert export(study, "mlflow", None, print).startswith("mlflow ui --backend-store-uri sqlite:")
    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name("batches").experiment_id
    runs = {run.info.run_name: run for run in client.search_runs([experiment])}
    assert set(runs) == {run.record.name for run in tracked(study)} | {next(tracked(study)).study}
    parent = runs[next(tracked(study)).study].info.run_id
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    for one in tracked(study):
        run = runs[one.record.name]
        assert run.data.tags["mlflow.parentRunId"] == parent
        assert run.data.params["batch_size"] == "1024"
        assert run.data.tags["largebatch.fingerprint"] == RunFolder(one.folder).fingerprint()
        history = client.get_metric_history(run.info.run_id, "test_accuracy")
        assert [(m.step, m.value) for m in history] == list(
            enumerate(one.record.metrics["test_accuracy"], start=1)
        )
        files = {file.path for file in client.list_artifacts(run.info.run_id)}
        assert {"config.json", "metrics.csv", "result.json"} <= files
