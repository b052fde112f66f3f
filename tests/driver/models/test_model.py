"""A trained model: its scores, and the run that it is read from."""

from __future__ import annotations

import dataclasses
import json
import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from largebatch.data.dataset import Images
from largebatch.errors import UserError
from largebatch.models import forward
from largebatch.models.model import PIECE, Model
from largebatch.records.run_folder import RunFolder
from largebatch.settings.training import Training
from tests.reference import Image, unstack
from tests.reference.networks import TWINS, start_moments
from tests.support.contributing import REPOSITORY

CLASSES = 3
RECORDED = REPOSITORY / "tests" / "recorded" / "old-runs" / "runs" / "finished"


def model(network: str, image: Image = (2, 8, 10)) -> Model:
    """With arrays of random numbers, for images of two channels."""
    shapes = TWINS[network].shapes(image, CLASSES, 2)
    rng = np.random.default_rng(1)
    w = rng.normal(0, 0.2, sum(rows * cols for rows, cols, _ in shapes))
    all_arrays = [*unstack(w, shapes), *start_moments(network, image, CLASSES)]
    arrays = {str(i): array for i, array in enumerate(all_arrays)}
    return Model(Training(network=network), Images(*image[1:], CLASSES, channels=2), arrays)


@pytest.mark.parametrize("network", TWINS)
@pytest.mark.parametrize("rows", [1, forward.ROWS, 2 * forward.ROWS + 1])
def test_a_row_has_the_same_scores_whatever_rows_it_stands_among(network: str, rows: int) -> None:
    one = model(network)
    X = np.random.default_rng(2).integers(0, 256, (rows, 2, 8, 10), np.uint8)
    found = one.scores(X)
    assert found.shape == (rows, CLASSES)
    alone = np.concatenate([one.scores(X[[n]].reshape(1, -1)) for n in range(rows)])
    np.testing.assert_allclose(found, alone, rtol=0, atol=1e-13)


@pytest.mark.parametrize("network", TWINS)
def test_images_get_the_zeros_around_them_that_they_had_in_training(network: str) -> None:
    whole = model(network, (2, 10, 10))
    X = np.random.default_rng(2).integers(0, 256, (3, 2, 5, 9), np.uint8)
    one = dataclasses.replace(
        whole, images=Images(5, 9, CLASSES, channels=2), training=Training(network=network, pad_to=10)
    )
    around = np.pad(X, ((0, 0), (0, 0), (2, 3), (0, 1)))
    np.testing.assert_array_equal(one.scores(X), whole.scores(around))


def test_pixels_are_divided_by_the_scale() -> None:
    one = model("softmax")
    floats = dataclasses.replace(one, images=dataclasses.replace(one.images, pixel_scale=1))
    X = np.arange(160, dtype=np.uint8).reshape(1, 2, 8, 10)
    np.testing.assert_allclose(one.scores(X), floats.scores(X / 255), rtol=1e-14)


def test_many_images_are_not_scaled_all_at_once() -> None:
    """Eight bytes a pixel would be more than what the reader of the images was bounded by."""
    one = model("softmax")
    X = np.zeros((16 * PIECE, 2, 8, 10), np.uint8)
    tracemalloc.start()
    found = one.scores(X)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) == len(X)
    assert peak < 2 * X.nbytes


def test_probabilities_of_huge_scores_are_numbers() -> None:
    assert forward.softmax(np.array([[1e4, 0], [-1e4, -1e4]])).tolist() == [[1, 0], [0.5, 0.5]]


def test_arrays_that_do_not_fit_the_images_are_refused() -> None:
    one = dataclasses.replace(model("lenet"), images=Images(12, 12, CLASSES, channels=2))
    with pytest.raises(UserError, match="do not fit images"):
        one.scores(np.zeros((1, 2, 12, 12)))


def test_a_folder_without_a_checkpoint_is_refused(tmp_path: Path) -> None:
    config = (RECORDED / "config.json").read_bytes()
    (tmp_path / "config.json").write_bytes(config)
    with pytest.raises(UserError, match="holds no trained model yet"):
        Model.of_run(RunFolder(tmp_path), print)


def test_a_model_of_a_run_that_has_not_ended_is_told(tmp_path: Path) -> None:
    folder = RunFolder(shutil.copytree(RECORDED, tmp_path / "run"))
    done, said = folder.last_epoch(), []
    Model.of_run(folder, said.append)
    assert said == []
    config = tmp_path / "run" / "config.json"
    recorded = json.loads(config.read_text())
    recorded["training"]["epochs"] = done + 3
    config.write_text(json.dumps(recorded))
    Model.of_run(folder, said.append)
    assert said == [f"{folder.path}: the model is that of epoch {done} of {done + 3}"]
