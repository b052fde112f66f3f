"""Protocols that depend on timing, with workers that really compute: staleness, and executors apart."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from largebatch.data import Dataset
from largebatch.engine.session import Session
from largebatch.records.run_folder import RunFolder
from largebatch.runs.job import Job
from largebatch.settings.execution import Execution
from largebatch.settings.training import Training
from tests.support.command import Run, train_arguments
from tests.support.samples import dataset

pytestmark = [pytest.mark.systemds, pytest.mark.spark, pytest.mark.slow]

EXECUTION = Execution(mode="local", memory="1g")
PUSHES, ROWS = 256, 16  # of an epoch, of a gradient
TOLERANCE = 0.15
ABOVE_2N = 0.15  # where other programs use the cores, workers run in bursts; the mean does not change by that


@pytest.fixture(scope="module")
def images() -> Dataset:
    """As many and as large as MNIST's must be for 256 pushes: workers with little to do run in bursts."""
    return dataset(PUSHES * ROWS, 28)


@pytest.fixture(scope="module")
def second_epoch(
    images: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., pd.Series]]:
    """Metrics of the second epoch of LeNet, when the compilers have little left to do."""
    home = tmp_path_factory.mktemp("staleness")

    def train(workers: int, **protocol: str | int) -> pd.Series:
        training = Training(
            optimizer="sgd",
            learning_rate=0.001,
            batch_size=ROWS * workers,
            workers=workers,
            epochs=2,
            evaluate_train_rows=64,
            **protocol,
        )
        folder = RunFolder.create(home / str(len(list(home.iterdir()))), training, EXECUTION, images)
        Job(training, EXECUTION, images, folder).carry_out(session)
        counts = folder.staleness().groupby(["epoch", "kind"])["count"].sum()
        assert counts.tolist() == [workers, PUSHES - workers] * 2
        return folder.metrics().iloc[1]

    with Session(EXECUTION, 8, home / "log.txt") as session:
        yield train


@pytest.mark.parametrize(
    ("workers", "c", "protocol"),
    [
        (4, 4, {"protocol": "softsync", "softsync_n": 1}),
        (4, 1, {"protocol": "async"}),
        (8, 8, {"protocol": "softsync", "softsync_n": 1}),
        (8, 1, {"protocol": "async"}),
    ],
)
def test_staleness_is_that_of_equal_workers(
    second_epoch: Callable[..., pd.Series], workers: int, c: int, protocol: dict[str, str | int]
) -> None:
    """While a worker computes, each of the others pushes once: (workers - 1) / c updates."""
    row = second_epoch(workers, **protocol)
    assert row["staleness_mean"] == pytest.approx((workers - 1) / c, rel=TOLERANCE)
    assert row["staleness_above_2n"] <= ABOVE_2N
    assert row["pushes"] == 2 * PUSHES and row["updates"] == 2 * PUSHES // c


def test_softsync_on_executors_of_their_own(largebatch: Run, bars: Path, tmp_path: Path) -> None:
    """1-softsync, with as many slots as workers; the command, the settings and the result say what it is."""
    words = ["--master", "local-cluster[2,2,1024]", "--protocol", "softsync", "--epochs", "2", "--json"]
    done = largebatch(*train_arguments(bars, tmp_path / "run", *words))
    assert done.returncode == 0, done.stderr
    assert "--protocol softsync: updates depend on timing, so the run is not reproducible." in done.stderr
    folder = RunFolder(tmp_path / "run")
    assert json.loads(done.stdout)["reproducible"] is False
    assert json.loads((folder.path / "config.json").read_text())["reproducible"] is False
    metrics, staleness = folder.metrics(), folder.staleness()
    assert metrics["test_accuracy"].iloc[-1] > 0.8
    assert metrics["pushes"].tolist() == [32, 64] and metrics["updates"].tolist() == [8, 16]
    assert staleness.groupby("epoch")["count"].sum().tolist() == [32, 32]
