"""Crops and mirror images of training images, smoothed labels, and zeros around images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.reference import Floats, Image, unstack
from tests.reference.augmentation import moved, padded
from tests.reference.loss import softmax_cross_entropy
from tests.reference.networks import softmax
from tests.support.harness import DML, Matrix
from tests.support.training import CLASSES, IMAGE, SETTINGS, Data, Trained, Trainer, synthetic

pytestmark = pytest.mark.systemds

ROUNDING = 1e-10
# A share of n draws is off by more than 5 deviations, at most 2.5/sqrt(n), once in two million times.
ROWS, FAR = 4000, 2.5 / 4000**0.5


def augmented(dml: DML, X: Floats, seed: int = 1, epoch: int = 1, **settings: Any) -> tuple[Matrix, Matrix]:
    """Classes and draws, and inputs of the network."""
    y = np.arange(len(X))[:, None] % CLASSES + 1
    found = dml.call(
        "augmented.dml", {"X": X, "y": y}, ("of_row", "inputs"),
        augment="standard", seed=seed, epoch=epoch, **settings,
    )  # fmt: skip
    np.testing.assert_array_equal(found["of_row"][:, :1], y)
    return found["of_row"][:, 1:], found["inputs"]


@pytest.mark.parametrize(
    ("network", "image", "pad_to"),
    [("softmax", (3, 5, 9), 0), ("softmax", (2, 6, 9), 8), ("lenet", (1, 8, 10), 0), ("lenet", (1, 7, 5), 8)],
)
def test_images_are_cropped_and_mirrored_as_drawn(dml: DML, network: str, image: Image, pad_to: int) -> None:
    C, H, W = image
    X = np.random.default_rng(1).integers(0, 256, (300, C * H * W)).astype(np.float64)
    draws, inputs = augmented(dml, X, network=network, channels=C, height=H, width=W, pad_to=pad_to)
    whole = (C, max(H, pad_to), max(W, pad_to))
    expected = moved(padded(X, image, pad_to), draws, whole).reshape(-1, *whole)
    if network == "lenet":  # its inputs have zeros around them
        expected = np.pad(expected, ((0, 0), (0, 0), (2, 2), (2, 2)))
    np.testing.assert_array_equal(inputs, expected.reshape(len(X), -1))


def test_every_crop_and_its_mirror_image_are_equally_likely(dml: DML) -> None:
    settings: dict[str, Any] = {"network": "softmax", "channels": 1, "height": 1, "width": 1}
    draws, _ = augmented(dml, np.ones((ROWS, 1)), **settings)
    for column, values in ((0, range(-4, 5)), (1, range(-4, 5)), (2, range(2))):
        shares = [(draws[:, column] == value).mean() for value in values]
        assert sum(shares) == pytest.approx(1)
        assert max(shares) - min(shares) < 2 * FAR
    again, _ = augmented(dml, np.ones((ROWS, 1)), **settings)
    np.testing.assert_array_equal(again, draws)
    for other in ({"epoch": 2}, {"seed": 2}):
        changed = augmented(dml, np.ones((ROWS, 1)), **settings, **other)[0]
        assert (changed == draws).all(axis=1).mean() < 1 / 162 + FAR


SMALL: dict[str, Any] = {
    "network": "softmax", "augment": "standard", "label_smoothing": 0.2, "optimizer": "sgd",
    "learning_rate": 0.5, "weight_decay": 0, "micro_batch": 16, "batch_size": 240, "epochs": 1,
}  # fmt: skip


def test_a_training_takes_augmented_images_and_smoothed_labels_and_its_evaluations_neither(
    dml: DML, train: Trainer
) -> None:
    data, trained = synthetic(), train(**SMALL)
    w, _ = train.start(SETTINGS | SMALL, len(data.y_train))
    settings = {name: SETTINGS[name] for name in ("channels", "height", "width", "seed")}
    draws, _ = augmented(dml, data.X_train, network="softmax", **settings)
    X = moved(data.X_train, draws, IMAGE) / 255
    loss, _, dscores = softmax_cross_entropy(
        softmax.forward(w, X, IMAGE, CLASSES, 0), data.y_train, smoothing=0.2
    )
    W, b = unstack(w, softmax.shapes(IMAGE, CLASSES, 0))
    rows = len(X)
    expected = [(W - 0.5 * X.T @ dscores / rows).ravel(), (b - 0.5 * dscores.sum(axis=0) / rows).ravel()]
    found = trained.parameters()[:, 0]
    np.testing.assert_allclose(found, np.concatenate(expected), atol=ROUNDING)
    update = next(line for line in trained.lines if line.startswith("update 1 "))
    assert float(update.split()[-1]) == pytest.approx(loss / rows, rel=ROUNDING)
    for part, X, y in (("train", data.X_train, data.y_train), ("test", data.X_test, data.y_test)):
        plain = softmax_cross_entropy(softmax.forward(found, X / 255, IMAGE, CLASSES, 0), y)[0] / len(y)
        assert trained.column(f"{part}_loss") == [pytest.approx(plain, rel=ROUNDING)]


def test_zeros_around_images_are_as_if_they_were_in_the_files(train: Trainer) -> None:
    data = synthetic()
    large = Data(padded(data.X_train, IMAGE, 11), data.y_train, padded(data.X_test, IMAGE, 11), data.y_test)
    settings = SMALL | {"network": "lenet", "epochs": 1, "batch_size": 120}
    found, expected = train(**settings, pad_to=11), train(large, **settings, height=11, width=11)
    np.testing.assert_array_equal(found.parameters(), expected.parameters())
    np.testing.assert_array_equal(found.metrics(), expected.metrics())


# ---- whatever the machine ----

LENET: dict[str, Any] = {"augment": "standard", "label_smoothing": 0.1, "micro_batch": 8}


def assert_equal_but_for_rounding(one: Trained, other: Trained) -> None:
    np.testing.assert_allclose(one.parameters(), other.parameters(), atol=1e-8)


@pytest.mark.slow
def test_workers_do_not_change_what_happens_to_an_image(train: Trainer) -> None:
    """An update of all rows."""
    one, four = (train(**LENET, workers=workers, batch_size=240) for workers in (1, 4))
    assert_equal_but_for_rounding(one, four)


@pytest.mark.slow
def test_a_resumed_training_equals_an_uninterrupted_one_to_the_last_bit(train: Trainer) -> None:
    whole = train(**LENET)
    resumed = train(resume=str(train(**LENET, until=1).checkpoint(1)), **LENET)
    np.testing.assert_array_equal(resumed.parameters(), whole.parameters())
    np.testing.assert_array_equal(resumed.metrics(), whole.metrics())


@pytest.mark.spark
@pytest.mark.slow
def test_spark_gives_the_same_as_local(train: Trainer) -> None:
    assert_equal_but_for_rounding(train(mode="REMOTE_SPARK", **LENET), train(**LENET))
