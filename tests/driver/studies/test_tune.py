"""`tune` over sessions that are made up: who trains what, for how long, and what follows from it."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from largebatch.data.idx import write_idx
from largebatch.errors import RunError
from largebatch.records.reading import read_study
from largebatch.records.result import Status
from largebatch.studies import lane
from largebatch.studies.command import SweepRequest
from largebatch.studies.sweep import Limits
from largebatch.studies.tune.command import CheckedTuning, tune
from tests.support.samples import write_dataset
from tests.support.stage import FakeSession, Stage, set_up

STUDY = """
name = "small"
title = "A small study"
[fixed]
dataset = "idx"
network = "softmax"
epochs = 4
[execution]
mode = "local"
memory = "512m"
[tune]
{tune}
validation_rows = 10
seeds = 2
[[grid]]
optimizer = ["sgd", "lars"]
batch_size = [8, 20]
[space.sgd]
learning_rate = {{ low = 0.01, high = 1, scale = "log" }}
[space.lars]
learning_rate = {{ low = 0.01, high = 1, scale = "log" }}
"""
HALVING = "trials = 4\npromote_after = [0.25]\npromote_share = 0.5"
COLUMNS = (
    "epoch", "updates", "examples", "learning_rate", "train_loss", "train_accuracy", "seconds",
    "evaluation_seconds", "validation_loss", "validation_accuracy",
)  # fmt: skip


def row(arguments: dict[str, Any], epoch: int) -> list[float]:
    """The nearer the rate is to 0.1 for sgd, to 0.5 for lars, the better."""
    best = {"sgd": 0.1, "lars": 0.5}[arguments["optimizer"]]
    accuracy = epoch / arguments["epochs"] * math.exp(-abs(math.log(arguments["learning_rate"] / best)))
    return [epoch, 5 * epoch, 40 * epoch, 0.1, 1 - accuracy, accuracy, 2.0, 1.0, 1 - accuracy, accuracy]


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch, cache_home: Path) -> Stage:
    monkeypatch.setattr(lane, "Session", FakeSession)
    monkeypatch.setattr("largebatch.engine.own.OwnJvm.require_tools", lambda self: None)
    found = set_up(monkeypatch)
    found.row, found.columns = row, COLUMNS
    return found


def request(folder: Path, tuning: str = HALVING, out: str = "out", **limits: Any) -> SweepRequest:
    """A study over a small data set in a folder."""
    data, study = folder / "data", folder / "small.toml"
    if not data.exists():
        data.mkdir()
        write_dataset(data)
    study.write_text(STUDY.format(tune=tuning))
    return SweepRequest(str(study), folder / out, data_dir=data, limits=Limits(**limits))


def ignore(text: str) -> None:
    pass


def trained(stage: Stage) -> Counter[tuple[str, int, int]]:
    """How often each epoch was trained, by optimizer and batch size."""
    return Counter((optimizer, batch_size, epoch) for _, optimizer, batch_size, epoch in stage.trained)


def results(folder: Path) -> dict[str, bytes]:
    """What the runs of a study have recorded, but for the folder that a result names."""
    files = [*folder.rglob("metrics.csv"), *folder.rglob("result.json"), folder / "study.json"]
    return {str(file.relative_to(folder)): file.read_bytes().replace(bytes(folder), b"") for file in files}


def test_all_cells_get_the_same_trials_and_epochs_and_the_best_is_trained_with_all_seeds(
    stage: Stage, tmp_path: Path
) -> None:
    assert tune(request(tmp_path), ignore) == 0
    counted = trained(stage)
    for cell in (("sgd", 8), ("sgd", 20), ("lars", 8), ("lars", 20)):
        assert [counted[*cell, epoch] for epoch in (1, 2, 3, 4)] == [4 + 2, 2 + 2, 2 + 2, 2 + 2]
    assert len(stage.began) == 1, "one session for all"
    study = read_study(tmp_path / "out")
    rates = {(run.training.optimizer, run.training.batch_size): set[float]() for run in study.runs}
    for run in study.runs:
        rates[run.training.optimizer, run.training.batch_size].add(run.training.learning_rate or 0)
    assert len({frozenset(values) for values in rates.values()}) == 1, "the same points in all cells"
    assert Counter(run.status for run in study.runs) == {Status.FINISHED: 8, Status.PAUSED: 8}
    assert {run.status for run in study.finals} == {Status.FINISHED}
    for optimizer, best in (("sgd", 0.1), ("lars", 0.5)):
        nearest = min(rates[optimizer, 8], key=lambda rate: abs(math.log(rate / best)))
        chosen = {
            (r.training.learning_rate, r.training.seed)
            for r in study.finals
            if r.training.optimizer == optimizer
        }
        assert chosen == {(nearest, 1), (nearest, 2)}


def test_short_trials_of_all_cells_come_first_and_final_runs_last(stage: Stage, tmp_path: Path) -> None:
    tune(request(tmp_path), ignore)
    epochs = [epoch for *_, epoch in stage.trained]
    assert epochs[:16] == [1] * 16
    assert epochs[16:] == [2, 3, 4] * 8 + [1, 2, 3, 4] * 8


def test_a_trial_is_trained_without_the_validation_rows_and_gets_no_test_part(
    stage: Stage, tmp_path: Path
) -> None:
    class StopError(Exception):
        pass

    def act(session: FakeSession, batch_size: int, epoch: int) -> None:
        if len(stage.trained) == 16 + 24:
            raise StopError

    stage.act = act
    with pytest.raises(StopError):
        tune(request(tmp_path), ignore)
    parts = {name.partition("_")[0] for name in stage.converted[:-4]}
    assert parts == {"train", "validation"}
    assert {name.partition("_")[0] for name in stage.converted[-4:]} == {"train", "test"}


def test_poisoned_test_labels_change_no_trial_and_no_choice(stage: Stage, tmp_path: Path) -> None:
    good, poisoned = tmp_path / "good", tmp_path / "poisoned"
    finals, trial_data = [], []
    for folder in (good, poisoned):
        folder.mkdir()
        wanted = request(folder)
        if folder == poisoned:
            write_idx(folder / "data" / "t10k-labels-idx1-ubyte", np.full(8, 2, np.uint8))
        checked = CheckedTuning(wanted, ignore, download=True)
        (trial,) = {run.data for run in checked.study.runs}
        trial_data.append(checked.datasets[trial].fingerprint)
        assert tune(wanted, ignore) == 0
        finals.append([run.training for run in read_study(wanted.out).finals])
    assert trial_data[0] == trial_data[1], "the very same data"
    assert finals[0] == finals[1]


def test_a_study_that_is_killed_goes_on_as_if_nothing_had_happened(stage: Stage, tmp_path: Path) -> None:
    assert tune(request(tmp_path, out="undisturbed"), ignore) == 0
    whole = list(stage.trained)
    stage.trained.clear()
    for killed_at in (3, 17, 50):

        def act(session: FakeSession, batch_size: int, epoch: int, at: int = killed_at) -> None:
            if len(stage.trained) == at:
                raise KeyboardInterrupt

        stage.act = act
        with pytest.raises(KeyboardInterrupt):
            tune(request(tmp_path), ignore)
    stage.act = lambda session, batch_size, epoch: None
    assert tune(request(tmp_path), ignore) == 0
    assert results(tmp_path / "out") == results(tmp_path / "undisturbed")
    assert [found[1:] for found in stage.trained] == [found[1:] for found in whole]
    assert tune(request(tmp_path), ignore) == 0
    assert len(stage.trained) == len(whole), "what is done is not done again"


def test_a_failed_trial_holds_up_its_cell_only_and_is_tried_again(stage: Stage, tmp_path: Path) -> None:
    def act(session: FakeSession, batch_size: int, epoch: int) -> None:
        if len(stage.trained) == 2:
            raise RunError("the JVM died")

    stage.act = act
    said: list[str] = []
    stage_of_failure = request(tmp_path)
    assert tune(stage_of_failure, said.append) == 1
    assert any(line.startswith("failed: ") and line.endswith("the JVM died") for line in said)
