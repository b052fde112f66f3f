"""Trainings whose workers hold the rows, and draw their batches from them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from largebatch.data import Dataset
from largebatch.files.blocks import SIDE, write_blocks
from largebatch.files.matrices import read_matrix
from largebatch.records.run_folder import RunFolder
from largebatch.runs.job import Job
from largebatch.runs.placement import deal_of
from largebatch.runs.program import evaluate_arguments, train_arguments
from largebatch.runs.shards import Ints, deal, permutation, written
from largebatch.settings.execution import Execution
from largebatch.settings.training import Training
from tests.support.harness import DML, Matrix
from tests.support.images import part
from tests.support.training import Data, Trained, Trainer, train_in_numpy

pytestmark = pytest.mark.systemds

TWIN = 1e-9
COLOUR, GREY, FEATURES, BLOCKS = (3, 8, 12), (1, 8, 8), (23,), (2300,)
SETTINGS: dict[str, Any] = {
    "data_placement": "executors", "network": "softmax", "optimizer": "sgd_momentum",
    "learning_rate": 0.05, "batch_size": 48, "epochs": 2,
}  # fmt: skip
AUGMENTED: dict[str, Any] = {"pad_to": 12, "augment": "standard", "evaluate_every": 3}


def dataset(shape: tuple[int, ...] = GREY, kind: str = "uint8", rows: int = 123) -> Dataset:
    """Rows that are no multiple of the workers, in all parts."""
    parts = part(rows, shape, kind, 1), part(31, shape, kind, 2), part(9, shape, kind, 3)
    return Dataset("made", "made up", *parts)


class Runs:
    """Trainings on rows of a shape and kind. Equal ones run once."""

    def __init__(self, dml: DML, root: Path) -> None:
        self.dml, self._root = dml, root
        self._known: dict[str, Trained] = {}

    def __call__(
        self, training: Training, data: Dataset, mode: str = "local", *, resume: Path | None = None
    ) -> Trained:
        """The training of a data set, in one of SystemDS' modes."""
        key = repr((training, data.train.X.shape, data.train.X.dtype, mode, resume))
        if key not in self._known:
            out = self._root / str(len(self._known))
            if resume is not None:  # it finds them there, as in the folder that it goes on in
                out.mkdir()
                shutil.copy(resume.parents[1] / "columns", out)
            with written(data, training, home=out / "data") as files:
                lines = self.dml.train(**train_arguments(training, mode, files, out, resume))
            self._known[key] = Trained(out, lines)
        return self._known[key]


@pytest.fixture(scope="module")
def runs(dml: DML, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Trains in the JVM of all tests of DML."""
    return Runs(dml, tmp_path_factory.mktemp("shards"))


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
    rows, longer = divmod(len(data.train), k)
    numbers = {"rows": rows, "longer": longer, "workers": k, "epochs": training.epochs, "seed": training.seed}
    drawn = dml.call("draws.dml", {}, ("orders",), **numbers)["orders"].astype(int) - 1
    columns = []
    for epoch, of_epoch in enumerate(np.split(drawn, training.epochs, axis=1), start=1):
        dealt = deal(data, k, training.seed, deal_of(training, epoch))
        columns.append(np.concatenate([own[order, 1] for own, order in zip(dealt, of_epoch.T, strict=True)]))
    return np.stack(columns, axis=1)


def as_matrices(data: Dataset) -> Data:
    X, y = (
        {name: rows.X.reshape(len(rows), -1).astype(np.float64) for name, rows in data.parts.items()},
        {name: rows.y + 1 for name, rows in data.parts.items()},
    )
    return Data(X["train"], y["train"], X["test"], y["test"])


def twin(
    dml: DML, train: Trainer, training: Training, data: Dataset, folder: Path
) -> tuple[Matrix, Matrix, Matrix]:
    """Start values, and parameters and metrics after the last epoch, of the training in NumPy."""
    with written(data, training, home=folder / "data") as files:
        values = {"padding": 2} | train_arguments(training, "local", files, folder, None)
    w, _ = train.start(values, len(data.train))
    n = training.evaluate_train_rows or len(data.train)
    evaluated = permutation(len(data.train), training.seed, 0)[:n]
    return w, *train_in_numpy(values, as_matrices(data), w, orders(dml, training, data), evaluated)


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
        (FEATURES, "float64", {"workers": 3, "evaluate_train_rows": 50}, "local"),
        pytest.param(COLOUR, "uint8", {"network": "lenet"}, "local", marks=pytest.mark.slow),
        pytest.param(
            BLOCKS,
            "float32",
            {"micro_batch": 2, "evaluate_train_rows": 70},
            "spark",
            marks=[pytest.mark.slow, pytest.mark.spark],
        ),
    ],
)
def test_a_training_equals_one_in_numpy_on_the_rows_that_are_drawn(
    runs: Runs, train: Trainer, tmp_path: Path,
    shape: tuple[int, ...], kind: str, settings: dict[str, Any], mode: str,
) -> None:  # fmt: skip
    training, data = Training(**SETTINGS | settings), dataset(shape, kind)
    found = runs(training, data, mode)
    w, parameters, metrics = twin(runs.dml, train, training, data, tmp_path)
    np.testing.assert_allclose(found.parameters(), parameters, rtol=0, atol=TWIN)
    np.testing.assert_allclose(figures(found, but="validation"), metrics, rtol=TWIN)
    assert np.abs(parameters[:, 0] - w).max() > 1e4 * TWIN


def test_a_worker_draws_rows_of_its_own_once_in_an_epoch_and_leaves_out_none_for_ever(dml: DML) -> None:
    data = dataset()
    drawn = orders(dml, Training(**SETTINGS | {"epochs": 5}), data)
    assert all(len(set(epoch)) == len(epoch) == 120 for epoch in drawn.T)
    assert set(drawn.ravel()) == set(range(len(data.train)))
    for own in np.split(drawn, 4):
        assert len(set(own.ravel())) <= 31 and list(own[:, 0]) != list(own[:, 1])


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.parametrize(
    ("shape", "kind", "settings"), [(BLOCKS, "float32", {"micro_batch": 2}), (GREY, "uint8", AUGMENTED)]
)
def test_spark_gives_the_same_as_local_to_the_last_bit(
    runs: Runs, shape: tuple[int, ...], kind: str, settings: dict[str, Any]
) -> None:
    """Also with rows of three blocks of columns, whose order decides what is learnt."""
    training, data = Training(**SETTINGS | settings), dataset(shape, kind)
    local, spark = (runs(training, data, mode) for mode in ("local", "spark"))
    np.testing.assert_array_equal(spark.parameters(), local.parameters())
    np.testing.assert_allclose(figures(spark), figures(local), rtol=1e-12)  # norms are sums by many threads


@pytest.mark.slow
@pytest.mark.spark
def test_images_are_augmented_by_the_workers_that_hold_them(runs: Runs) -> None:
    """Images of 8 x 8 with zeros around them; evaluations have them as they are."""
    augmented = runs(Training(**SETTINGS | AUGMENTED), dataset())
    plain = runs(Training(**SETTINGS | AUGMENTED | {"augment": "none"}), dataset())
    assert not np.allclose(plain.parameters(), augmented.parameters(), rtol=1e-3)


@pytest.mark.slow
def test_a_training_that_goes_on_equals_one_that_was_not_interrupted(runs: Runs) -> None:
    training, data = Training(**SETTINGS | AUGMENTED), dataset()
    whole = runs(training, data)
    half = runs(training, data, resume=whole.checkpoint(1))
    np.testing.assert_array_equal(half.parameters(), whole.parameters())
    np.testing.assert_array_equal(figures(half), figures(whole))


@pytest.mark.slow
def test_rows_move_between_workers_from_epoch_to_epoch(runs: Runs, train: Trainer, tmp_path: Path) -> None:
    training, data, local = Training(**SETTINGS, reshuffle_every=1), dataset(), Execution(mode="local")
    folder = RunFolder.create(tmp_path / "run", training, local, data)
    Job(training, local, data, folder, prepared_in=tmp_path).carry_out(runs.dml.session)
    _, parameters, _ = twin(runs.dml, train, training, data, tmp_path)
    found = read_matrix(folder.checkpoint(2) / "parameters")
    np.testing.assert_allclose(found, parameters, rtol=0, atol=TWIN)


@pytest.mark.slow
def test_a_worker_that_waits_for_no_other_draws_the_same_batches(runs: Runs) -> None:
    """Of a single worker: updates then do not depend on timing."""
    found = [
        runs(Training(**SETTINGS, workers=1, protocol=protocol), dataset())
        for protocol in ("hardsync", "async")
    ]
    np.testing.assert_array_equal(found[0].parameters(), found[1].parameters())


@pytest.mark.slow
def test_workers_that_do_not_wait_push_a_gradient_for_each_batch(runs: Runs) -> None:
    found = runs(Training(**SETTINGS, protocol="softsync", softsync_n=2), dataset())
    assert column(found, "pushes") == [12, 24]
    assert column(found, "examples") == [120, 240]


@pytest.mark.slow
def test_weights_within_an_epoch_are_evaluated_on_the_wanted_part(runs: Runs, tmp_path: Path) -> None:
    training, data = Training(**SETTINGS | AUGMENTED), dataset()
    found = runs(training, data)
    lines: list[str] = []
    with written(data, training, home=tmp_path / "data") as files:
        for name in ("validation", "test"):
            weights = found.folder / "snapshots" / "6" / "weights"
            arguments = evaluate_arguments(training, "local", files, name, weights)
            runs.dml.session.run("evaluate.dml", arguments, on_line=lines.append)
    accuracies = [float(line.split()[2]) for line in lines if line.startswith("evaluated ")]
    assert accuracies == [column(found, "validation_accuracy")[1], column(found, "test_accuracy")[1]]
