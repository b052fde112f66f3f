"""Runs on data sets with other parts than training and test rows, and with colours."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from largebatch.data import Dataset
from largebatch.data.dataset import Part
from largebatch.models.predict import predict
from largebatch.records.run_folder import RunFolder
from largebatch.runs.job import train
from largebatch.settings.training import Training
from tests.support.command import call_in, train_arguments
from tests.support.lent import Lender
from tests.support.samples import write_bars

pytestmark = pytest.mark.systemds


@pytest.fixture
def untested(tmp_path: Path) -> Path:
    """A data set without test files."""
    folder = tmp_path / "bars"
    folder.mkdir()
    for file in write_bars(folder, 402, 16, 5).glob("t10k*"):
        file.unlink()
    return folder


def test_a_run_with_a_validation_and_without_a_test_part_resumes_and_predicts(
    lender: Lender, untested: Path, tmp_path: Path
) -> None:
    words = [*lender.options, "--validation-rows", "102", "--batch-size", "100", "--epochs", "2", "--json"]
    done = lender.run(tmp_path, *train_arguments(untested, "run", *words))
    assert done.returncode == 0, done.stderr
    assert "which has no test files: nothing is tested" in done.stderr
    folder = RunFolder(tmp_path / "run")
    metrics = folder.metrics()
    assert {name for name in metrics if name.endswith("_accuracy")} == {
        "train_accuracy",
        "validation_accuracy",
    }
    assert metrics["examples"].tolist() == [300, 600]
    result = json.loads(done.stdout)
    assert (result["test_accuracy"], result["generalization_error"]) == (None, None)
    assert result["validation_accuracy"] == metrics["validation_accuracy"].iloc[-1]
    again = lender.run(tmp_path, "train", "--resume", folder.path, "--json")
    assert again.returncode == 0, again.stderr
    shown = call_in(tmp_path, "predict", folder.path, untested / "train-images-idx3-ubyte")
    assert len(shown.stdout.splitlines()) == 1 + 402, shown.stderr


def coloured(kind: str) -> Dataset:
    """Noise, and in each image a brighter square; the class is its channel."""
    rng = np.random.default_rng(3)
    y = rng.integers(0, 3, 500).astype(np.uint8)
    X = rng.integers(0, 100, (500, 3, 12, 10))
    X[np.arange(500), y, 2:8, 2:8] += 100
    X = X.astype(kind) if kind == "uint8" else (X / 100).astype(kind)
    return Dataset("made", "made up", Part(X[:400], y[:400]), Part(X[400:], y[400:]))


@pytest.mark.parametrize("kind", ["uint8", "float32"])
def test_predictions_of_colour_images_are_those_the_accuracy_was_measured_with(
    lender: Lender, tmp_path: Path, kind: str
) -> None:
    data = coloured(kind)
    training = Training(batch_size=40, epochs=3, optimizer="sgd_momentum", learning_rate=0.05)
    folder = RunFolder.create(tmp_path / "run", training, lender.execution, data)
    with lender.lending():
        result = train(training, lender.execution, folder, data)
    test = data.parts["test"]
    np.save(tmp_path / "images.npy", test.X.transpose(0, 2, 3, 1))  # channels last, as pictures have them
    found = predict(folder.path, tmp_path / "images.npy", print)
    assert (found["class"] == test.y).mean() == result.test_accuracy
    assert result.test_accuracy is not None and result.test_accuracy > 0.9


def test_the_cut_of_a_run_is_checked_before_anything_starts(untested: Path, tmp_path: Path) -> None:
    for rows, words in (("402", "leaves no training row of the 402"), ("200", "the 202 training rows that")):
        done = call_in(tmp_path, *train_arguments(untested, "run", "--validation-rows", rows))
        assert (done.returncode, words in done.stderr) == (2, True), done.stderr
        assert not (tmp_path / "run").exists()
