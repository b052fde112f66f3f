"""Trainings whose workers hold the rows, and draw their batches from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from largebatch.data import Dataset
from largebatch.data.dataset import Part
from largebatch.files.blocks import SIDE, write_blocks
from largebatch.runs.program import evaluate_arguments, train_arguments
from largebatch.runs.shards import Ints, deal, written
from largebatch.settings.training import Training
from tests.support.harness import DML, Matrix
from tests.support.training import Data, Trained, Trainer, train_in_numpy

pytestmark = pytest.mark.systemds

TWIN = 1e-9
COLOUR, GREY, FEATURES = (3, 8, 12), (1, 8, 8), (23,)
SETTINGS: dict[str, Any] = {
    "data_placement": "executors", "network": "softmax", "optimizer": "sgd_momentum",
    "learning_rate": 0.05, "batch_size": 48, "epochs": 2,
}  # fmt: skip


def part(rows: int, shape: tuple[int, ...], kind: str, seed: int) -> Part:
    """Noise of 0..255, or of about 1 for floats, brighter at a place of its class."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 4, rows)
    X = rng.integers(0, 128, (rows, *shape)).astype(np.float64)
    X.reshape(rows, -1)[np.arange(rows), 5 * y] += 100
    return Part((X if kind == "uint8" else X / 99).astype(kind), y)


def dataset(shape: tuple[int, ...] = GREY, kind: str = "uint8", rows: int = 123) -> Dataset:
    """Rows that are no multiple of the workers, in all parts."""
    parts = part(rows, shape, kind, 1), part(31, shape, kind, 2), part(9, shape, kind, 3)
    return Dataset("made", "made up", *parts)


def carry_out(
    dml: DML, folder: Path, training: Training, data: Dataset, mode: str = "local", **more: Any
) -> Trained:
    """`more` are arguments of train.dml."""
    with written(data, training.workers, training.seed, folder / "data") as files:
        return Trained(folder, dml.train(**train_arguments(training, mode, files, folder, None) | more))


def names(trained: Trained) -> list[str]:
    """The columns of the metrics."""
    return (trained.folder / "columns").read_text().strip().split(",")


def column(trained: Trained, name: str) -> list[float]:
    """A column of the metrics."""
    return [float(value) for value in trained.recorded()[:, names(trained).index(name)]]


def figures(trained: Trained, but: str = "seconds") -> Matrix:
    """The metrics without seconds, and without what begins so."""
    kept = [not (name.startswith(but) or name.endswith("seconds")) for name in names(trained)]
    return trained.recorded()[:, kept]


def orders(dml: DML, training: Training, data: Dataset) -> Ints:
    """The training rows of each epoch, worker by worker, as they are drawn: (rows, epochs)."""
    k = training.workers
    numbers = {"rows": len(data.train) // k, "workers": k, "epochs": training.epochs, "seed": training.seed}
    drawn = dml.call("draws.dml", {}, ("orders",), **numbers)["orders"].astype(int) - 1
    own = [dealt[:, 1] for dealt in deal(data, k, training.seed)]
    drawn_rows = [own[i % k][order] for i, order in enumerate(drawn.T)]  # of each epoch, worker by worker
    return np.stack([np.concatenate(drawn_rows[i : i + k]) for i in range(0, len(drawn_rows), k)], axis=1)


def as_matrices(data: Dataset) -> Data:
    X, y = (
        {name: rows.X.reshape(len(rows), -1).astype(np.float64) for name, rows in data.parts.items()},
        {name: rows.y + 1 for name, rows in data.parts.items()},
    )
    return Data(X["train"], y["train"], X["test"], y["test"])


@pytest.mark.parametrize("shape", [(5, 3), (SIDE + 1, 2 * SIDE)])
def test_matrices_that_are_written_in_pieces_are_read_as_they_are(
    dml: DML, tmp_path: Path, shape: tuple[int, int]
) -> None:
    X = np.arange(shape[0] * shape[1], dtype=np.float64).reshape(shape) / 7
    write_blocks(tmp_path / "X", shape, (X[first : first + SIDE] for first in range(0, len(X), SIDE)))
    found = dml.call("sums.dml", {}, ("rows", "columns"), matrix=str(tmp_path / "X"))
    np.testing.assert_allclose(found["rows"], X @ np.arange(1, shape[1] + 1)[:, None], rtol=1e-12)
    np.testing.assert_allclose(found["columns"], np.arange(1, shape[0] + 1)[None] @ X, rtol=1e-12)


@pytest.mark.parametrize(
    ("shape", "kind", "settings", "mode"),
    [
        (FEATURES, "float64", {"workers": 3}, "local"),
        pytest.param(COLOUR, "uint8", {"network": "lenet"}, "local", marks=pytest.mark.slow),
        pytest.param(FEATURES, "float32", {"micro_batch": 5}, "spark", marks=pytest.mark.slow),
    ],
)
def test_a_training_equals_one_in_numpy_on_the_rows_that_are_drawn(
    dml: DML, train: Trainer, tmp_path: Path,
    shape: tuple[int, ...], kind: str, settings: dict[str, Any], mode: str,
) -> None:  # fmt: skip
    training, data = Training(**SETTINGS | settings), dataset(shape, kind)
    found = carry_out(dml, tmp_path, training, data, mode=mode)
    with written(data, training.workers, training.seed, tmp_path / "data") as files:
        values = {"padding": 2} | train_arguments(training, mode, files, tmp_path, None)
    w, _ = train.start(values, len(data.train))
    parameters, metrics = train_in_numpy(values, as_matrices(data), w, orders(dml, training, data))
    np.testing.assert_allclose(found.parameters(), parameters, rtol=0, atol=TWIN)
    np.testing.assert_allclose(figures(found, but="validation"), metrics, rtol=TWIN)
    assert np.abs(parameters[:, 0] - w).max() > 1e4 * TWIN


def test_a_worker_draws_every_row_once_in_an_epoch_and_in_another_order_in_the_next(dml: DML) -> None:
    training, data = Training(**SETTINGS), dataset()
    first, second = orders(dml, training, data).T
    assert len(set(first)) == len(first) == 120
    for one, other in zip(np.split(first, 4), np.split(second, 4), strict=True):
        assert set(one) == set(other) and list(one) != list(other)


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.parametrize("columns", [20, 2300])
def test_spark_gives_the_same_as_local_to_the_last_bit(dml: DML, tmp_path: Path, columns: int) -> None:
    """Also with rows of three blocks of columns, whose order decides what is learnt."""
    training, data = Training(**SETTINGS), dataset((columns,), "float64")
    local, spark = (carry_out(dml, tmp_path / mode, training, data, mode=mode) for mode in ("local", "spark"))
    np.testing.assert_array_equal(spark.parameters(), local.parameters())
    np.testing.assert_allclose(figures(spark), figures(local), rtol=1e-12)  # norms are sums by many threads


@pytest.mark.slow
@pytest.mark.spark
def test_images_are_augmented_by_the_workers_that_hold_them(dml: DML, tmp_path: Path) -> None:
    """Images of 8 x 8 with zeros around them; evaluations have them as they are."""
    padded = SETTINGS | {"pad_to": 12}
    plain, local, spark = (
        carry_out(dml, tmp_path / name, Training(**padded, augment=augment), dataset(), mode=mode)
        for name, augment, mode in (
            ("plain", "none", "local"), ("local", "standard", "local"), ("spark", "standard", "spark"),
        )
    )  # fmt: skip
    np.testing.assert_array_equal(spark.parameters(), local.parameters())
    assert not np.allclose(plain.parameters(), local.parameters(), rtol=1e-3)


@pytest.mark.slow
def test_a_training_that_goes_on_equals_one_that_was_not_interrupted(dml: DML, tmp_path: Path) -> None:
    training, data = Training(**SETTINGS), dataset()
    whole = carry_out(dml, tmp_path / "whole", training, data)
    carry_out(dml, tmp_path / "parts", training, data, until=1)
    half = tmp_path / "parts" / "checkpoints" / "1"
    parts = carry_out(dml, tmp_path / "parts", training, data, resume=str(half))
    np.testing.assert_array_equal(parts.parameters(), whole.parameters())
    np.testing.assert_array_equal(figures(parts), figures(whole))


@pytest.mark.slow
def test_a_worker_that_waits_for_no_other_draws_the_same_batches(dml: DML, tmp_path: Path) -> None:
    """Of a single worker: updates then do not depend on timing."""
    found = [
        carry_out(dml, tmp_path / protocol, Training(**SETTINGS, workers=1, protocol=protocol), dataset())
        for protocol in ("hardsync", "async")
    ]
    np.testing.assert_array_equal(found[0].parameters(), found[1].parameters())


@pytest.mark.slow
def test_workers_that_do_not_wait_push_a_gradient_for_each_batch(dml: DML, tmp_path: Path) -> None:
    training = Training(**SETTINGS, protocol="softsync", softsync_n=2)
    found = carry_out(dml, tmp_path, training, dataset())
    assert column(found, "pushes") == [12, 24]
    assert column(found, "examples") == [120, 240]


@pytest.mark.slow
def test_weights_within_an_epoch_are_evaluated_on_the_wanted_part(dml: DML, tmp_path: Path) -> None:
    training, data = Training(**SETTINGS, evaluate_every=3), dataset()
    found = carry_out(dml, tmp_path, training, data)
    lines: list[str] = []
    with written(data, training.workers, training.seed, tmp_path / "data") as files:
        for name in ("validation", "test"):
            weights = tmp_path / "snapshots" / "6" / "weights"
            arguments = evaluate_arguments(training, "local", files, name, weights)
            dml.session.run("evaluate.dml", arguments, single_node=True, on_line=lines.append)
    accuracies = [float(line.split()[2]) for line in lines]
    assert accuracies == [column(found, "validation_accuracy")[1], column(found, "test_accuracy")[1]]
