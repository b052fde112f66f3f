"""Residual networks: ghost batch normalisation, and its moments wherever a training takes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from largebatch.files.matrices import read_matrix
from largebatch.files.places import dml_root
from largebatch.models.forward import softmax
from largebatch.models.residual import scores
from tests.reference import Floats, Ints, parameter_count, unstack
from tests.reference.loss import softmax_cross_entropy
from tests.reference.networks import residual
from tests.support.harness import DML, write_matrix
from tests.support.training import (
    CLASSES,
    IMAGE,
    SETTINGS,
    Data,
    Trained,
    Trainer,
    batches,
    dealt_out_to,
    synthetic,
)

pytestmark = pytest.mark.systemds

FILTERS, MICRO_BATCH = 2, 8
SMALL: dict[str, Any] = {
    "network": "resnet8", "filters": FILTERS, "micro_batch": MICRO_BATCH, "optimizer": "sgd_momentum",
    "learning_rate": 0.05, "weight_decay": 0.01, "adapt_biases": False, "decay_biases": False,
}  # fmt: skip
SHAPES = residual.shapes(1, IMAGE, CLASSES, FILTERS)
# The same sums in another order, over eight updates.
ROUNDING = 1e-8


def moments_of(trained: Trained, epoch: int = 2) -> Floats:
    """All running means, then all running variances."""
    return read_matrix(trained.checkpoint(epoch) / "moments")[0]


def arrays_of(w: Floats, moments: Floats) -> list[Floats]:
    """As `residual.scores` of the package takes them."""
    sizes = [rows for rows, _, _ in SHAPES[:-2:3]]
    parts = np.split(moments.reshape(2, -1), np.cumsum(sizes)[:-1], axis=1)
    return [*unstack(w, SHAPES), *(part[row][:, None] for part in parts for row in (0, 1))]


def test_sums_for_the_moments_equal_the_twins(dml: DML) -> None:
    rng = np.random.default_rng(3)
    image = (3, 9, 8)
    w = rng.normal(0, 0.3, parameter_count(residual.shapes(1, image, 3, 4)))
    X, y = rng.standard_normal((5, 216)), np.array([1, 2, 3, 1, 2])
    found = dml.call(
        "gradient.dml", {"w": w[:, None], "X": X, "y": y[:, None]}, ("g", "sums"),
        network="resnet8", channels=3, height=9, width=8, classes=3, filters=4,
    )  # fmt: skip
    g, loss, correct, sums = residual.gradient(1, w, X, y, image, 3, 4)
    np.testing.assert_allclose(found["g"][:, 0], g, atol=ROUNDING * np.abs(g).max())
    np.testing.assert_allclose(found["sums"][0], [loss, correct, *sums], rtol=ROUNDING, atol=ROUNDING)


def trained_in_numpy(data: Data, w: Floats, orders: Ints) -> tuple[Floats, Floats]:
    """Weights and moments after all epochs, by SMALL: each worker's rows in micro-batches."""
    decaying = np.concatenate([np.full(r * c, 1.0 if c > 1 and r > 1 else 0.0) for r, c, _ in SHAPES])
    T = sum(rows for rows, _, _ in SHAPES[:-2:3])
    velocity, moments, t = np.zeros_like(w), np.repeat([0.0, 1.0], T), 0
    for order in orders.T:
        for rows in batches(order, SETTINGS["workers"], SETTINGS["batch_size"]):
            g, sums = np.zeros_like(w), np.zeros(2 * T)
            for share in np.split(rows, SETTINGS["workers"]):
                for first in range(0, len(share), MICRO_BATCH):
                    some = share[first : first + MICRO_BATCH]
                    X, y = data.X_train[some] / 255, data.y_train[some]
                    of_slice = residual.gradient(1, w, X, y, IMAGE, CLASSES, FILTERS)
                    g, sums = g + of_slice[0], sums + of_slice[3]
            mean, square = np.split(sums / len(rows), 2)
            moments = 0.9 * moments + 0.1 * np.concatenate([mean, square - mean**2])
            rate = 0.05 / (1 + SETTINGS["decay"] * t)
            velocity = 0.9 * velocity - rate * (g / len(rows) + 0.01 * decaying * w)
            w, t = w + velocity, t + 1
    return w, moments


def test_a_training_equals_one_in_numpy(train: Trainer) -> None:
    """Scales, shifts and biases don't decay; moments are exact over the batch, and evaluations take them."""
    data, trained = synthetic(), train(**SMALL)
    w, orders = train.start(SETTINGS | SMALL, len(data.y_train))
    expected, moments = trained_in_numpy(data, w, orders)
    found = trained.parameters()[:, 0]
    np.testing.assert_allclose(found, expected, atol=ROUNDING)
    np.testing.assert_allclose(moments_of(trained), moments, atol=ROUNDING)
    raw = scores(arrays_of(found, moments_of(trained)), data.X_test.reshape(-1, *IMAGE) / 255, 1)
    loss = softmax_cross_entropy(raw, data.y_test)[0] / len(data.y_test)
    assert trained.column("test_loss")[-1] == pytest.approx(loss, rel=ROUNDING)


def test_scales_start_at_one_but_the_last_of_a_block_where_it_is_told(train: Trainer) -> None:
    w, _ = train.start(SETTINGS | SMALL | {"last_scale": 0}, 1)
    scales = [float(array[0, 0]) for array in unstack(w, SHAPES)[1:-2:3]]
    assert scales == [1, 1, 0, 1, 0, 1, 1, 0, 1]
    assert not any(array.any() for array in unstack(w, SHAPES)[2:-2:3])


@pytest.mark.slow
def test_one_worker_gives_the_same_as_four_with_the_same_micro_batches(train: Trainer) -> None:
    data = synthetic(256)  # batches of 4 x 16 rows
    settings = SMALL | {"micro_batch": 16, "epochs": 1}
    _, orders = train.start(SETTINGS | SMALL, 256)
    one = train(dealt_out_to(1, data, orders[:, 0]), workers=1, **settings)
    four = train(data, **settings)
    np.testing.assert_allclose(one.parameters(), four.parameters(), atol=ROUNDING)
    np.testing.assert_allclose(moments_of(one, 1), moments_of(four, 1), atol=ROUNDING)


@pytest.mark.slow
def test_a_resumed_training_equals_an_uninterrupted_one_to_the_last_bit(train: Trainer) -> None:
    whole = train(**SMALL)
    resumed = train(resume=str(train(**SMALL, until=1).checkpoint(1)), **SMALL)
    np.testing.assert_array_equal(resumed.parameters(), whole.parameters())
    np.testing.assert_array_equal(moments_of(resumed), moments_of(whole))
    np.testing.assert_array_equal(resumed.metrics(), whole.metrics())


@pytest.mark.spark
@pytest.mark.slow
def test_spark_gives_the_same_as_local(train: Trainer) -> None:
    spark = train(mode="REMOTE_SPARK", **SMALL)
    np.testing.assert_allclose(spark.parameters(), train(**SMALL).parameters(), atol=ROUNDING)
    np.testing.assert_allclose(moments_of(spark), moments_of(train(**SMALL)), atol=ROUNDING)


def test_predictions_take_the_moments(dml: DML, train: Trainer, tmp_path: Path) -> None:
    X, trained = synthetic().X_test, train(**SMALL)
    write_matrix(tmp_path / "images", X)
    network = {n: SETTINGS[n] for n in ("channels", "height", "width", "classes")}
    dml.call(
        str(dml_root() / "dml" / "predict.dml"), {}, (),
        images=str(tmp_path / "images"), parameters=str(trained.checkpoint(2) / "parameters"),
        moments=str(trained.checkpoint(2) / "moments"), out=str(tmp_path / "out"),
        pixel_scale=255, micro_batch=7, network="resnet8", filters=FILTERS, **network,
    )  # fmt: skip
    arrays = arrays_of(trained.parameters()[:, 0], moments_of(trained))
    expected = softmax(scores(arrays, X.reshape(-1, *IMAGE) / 255, 1))
    np.testing.assert_allclose(read_matrix(tmp_path / "out"), expected, atol=ROUNDING)
