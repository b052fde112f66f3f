"""Data sets on their way from NumPy's arrays to the parameters that are trained on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from largebatch.data import Dataset
from largebatch.data.dataset import Part, PreparedData
from largebatch.data.stored import Array
from largebatch.runs.preflight import updates_per_epoch
from largebatch.runs.prepare import prepare
from largebatch.runs.program import train_arguments
from largebatch.settings.training import Training
from tests.support.harness import DML
from tests.support.images import part
from tests.support.training import Data, Trained, Trainer, train_in_numpy

pytestmark = pytest.mark.systemds

# Two epochs are four updates of 21000 parameters: roundings of 1e-16 grow to some 1e-13.
TWIN = 1e-9
COLOUR, FEATURES = (3, 8, 12), (24,)  # no two sides are equal: none can be taken for another


def dataset(shape: tuple[int, ...], kind: str) -> Dataset:
    return Dataset("made", "made up", part(120, shape, kind, 1), part(31, shape, kind, 2))


def read(dml: DML, matrix: Path) -> Array:
    return dml.call("copy.dml", {}, ("X",), matrix=str(matrix))["X"]


# ---- conversion ----


@pytest.mark.parametrize("kind", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("shape", [COLOUR, FEATURES])
def test_prepared_rows_are_channels_of_rows_of_pixels(
    dml: DML, cache_home: Path, shape: tuple[int, ...], kind: str
) -> None:
    data = dataset(shape, kind)
    found = prepare(data, dml.session)
    assert list(found.matrices) == ["train_images", "train_labels", "test_images", "test_labels"]
    for name, rows in data.parts.items():
        expected = [[float(x) for x in row.ravel()] for row in rows.X]  # channel, then row, then column
        np.testing.assert_array_equal(read(dml, found.matrix(f"{name}_images")), expected)
        np.testing.assert_array_equal(read(dml, found.matrix(f"{name}_labels")), rows.y[:, None] + 1.0)


def test_only_parts_that_there_are_are_prepared(dml: DML, cache_home: Path) -> None:
    found = prepare(Dataset("made", "made up", part(8, FEATURES, "uint8", 1)), dml.session)
    assert found.parts == ("train",)
    there = {path.name for path in found.folder.glob("[a-z]*_*") if path.suffix != ".mtd"}
    assert there == {"train_images", "train_labels"} == set(found.matrices)


@pytest.mark.parametrize("label", [255, 256, 70000])
def test_labels_may_be_larger_than_a_byte_holds(dml: DML, cache_home: Path, label: int) -> None:
    data = Dataset("made", "made up", Part(np.ones((2, 3)), np.array([0, label])))
    found = prepare(data, dml.session)
    assert read(dml, found.matrix("train_labels")).tolist() == [[1], [label + 1]]


# ---- training ----


def carry_out(dml: DML, folder: Path, training: Training, mode: str, data: PreparedData) -> Trained:
    arguments = train_arguments(training, mode, data, folder, None)
    return Trained(folder, dml.train(**arguments))


def as_matrices(data: Dataset) -> Data:
    """The rows of the training and the test part as the twins take them."""
    X, y = (
        {name: rows.X.reshape(len(rows), -1).astype(np.float64) for name, rows in data.parts.items()},
        {name: rows.y + 1 for name, rows in data.parts.items()},
    )
    return Data(X["train"], y["train"], X["test"], y["test"])


@pytest.mark.parametrize(
    ("shape", "kind", "settings", "mode"),
    [
        (COLOUR, "uint8", {"network": "lenet"}, "local"),
        (COLOUR, "uint8", {"network": "lenet"}, "spark"),
        pytest.param(COLOUR, "float32", {"network": "lenet"}, "spark", marks=pytest.mark.slow),
        (FEATURES, "float64", {"network": "softmax"}, "local"),
    ],
)
def test_training_on_colours_and_features_equals_a_training_in_numpy(
    dml: DML,
    train: Trainer,
    tmp_path: Path,
    cache_home: Path,
    shape: tuple[int, ...],
    kind: str,
    settings: dict[str, Any],
    mode: str,
) -> None:
    data = dataset(shape, kind)
    training = Training(batch_size=60, epochs=2, optimizer="sgd_momentum", learning_rate=0.05, **settings)
    found = carry_out(dml, tmp_path / "run", training, mode, prepare(data, dml.session))
    values = {"padding": 2} | train_arguments(training, mode, prepare(data, dml.session), tmp_path, None)
    w, orders = train.start(values, 120)
    parameters, metrics = train_in_numpy(values, as_matrices(data), w, orders)
    np.testing.assert_allclose(found.parameters()[:, : parameters.shape[1]], parameters, rtol=0, atol=TWIN)
    np.testing.assert_allclose(found.metrics(), metrics, rtol=TWIN)
    assert np.abs(parameters[:, 0] - w).max() > 1e4 * TWIN


def test_a_set_without_a_test_part_is_trained_on(dml: DML, tmp_path: Path, cache_home: Path) -> None:
    whole = dataset(FEATURES, "float64")
    alone = Dataset("made", "made up", whole.train)
    training = Training(batch_size=60, epochs=1, network="softmax")
    one, other = (
        carry_out(dml, tmp_path / name, training, "local", prepare(data, dml.session))
        for name, data in (("whole", whole), ("alone", alone))
    )
    np.testing.assert_array_equal(one.parameters(), other.parameters())
    names = (other.folder / "columns").read_text().strip().split(",")
    assert [name in names for name in ("train_accuracy", "test_accuracy")] == [True, False]


@pytest.mark.parametrize(
    ("rows", "batch_size", "workers"), [(37, 12, 3), (40, 12, 4), (48, 48, 4), (30, 1, 1)]
)
def test_the_driver_counts_the_updates_that_there_are(
    dml: DML, tmp_path: Path, cache_home: Path, rows: int, batch_size: int, workers: int
) -> None:
    training = Training(batch_size=batch_size, workers=workers, epochs=1, network="softmax")
    data = Dataset("made", "made up", part(rows, FEATURES, "uint8", 1))
    found = carry_out(dml, tmp_path / "run", training, "local", prepare(data, dml.session))
    assert found.column("updates") == [updates_per_epoch(training, rows)]
