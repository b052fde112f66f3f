"""Runs on data sets with other parts than training and test rows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from largebatch.records.run_folder import RunFolder
from tests.support.command import Run, train_arguments
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
    largebatch: Run, untested: Path, tmp_path: Path
) -> None:
    words = ["--mode", "local", "--validation-rows", "102", "--batch-size", "100", "--epochs", "2", "--json"]
    done = largebatch(*train_arguments(untested, tmp_path / "run", *words))
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
    again = largebatch("train", "--resume", folder.path, "--data-dir", untested, "--json")
    assert again.returncode == 0, again.stderr
    shown = largebatch("predict", folder.path, untested / "train-images-idx3-ubyte")
    assert len(shown.stdout.splitlines()) == 1 + 402, shown.stderr


def test_the_cut_of_a_run_is_checked_before_anything_starts(
    largebatch: Run, untested: Path, tmp_path: Path
) -> None:
    for rows, words in (("402", "leaves no training row of the 402"), ("200", "the 202 training rows that")):
        done = largebatch(*train_arguments(untested, tmp_path / "run", "--validation-rows", rows))
        assert (done.returncode, words in done.stderr) == (2, True), done.stderr
        assert not (tmp_path / "run").exists()
