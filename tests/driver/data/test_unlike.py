"""Images that a model was not trained for: what is said about them, and how they are adjusted."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from largebatch.data.dataset import Images, Part
from largebatch.data.look import Look
from largebatch.data.pictures import read_images
from largebatch.data.unlike import Adjustment, adjusted, remarks
from largebatch.errors import UserError

BYTES = Images(8, 8, classes=3)
FLOATS = Images(8, 8, classes=3, pixel_scale=1)


def ink(rows: int = 5, seed: int = 0) -> np.ndarray:
    """Images of which every tenth pixel is light, on a dark ground."""
    rng = np.random.default_rng(seed)
    lit = rng.random((rows, 1, 8, 8)) < 0.1
    return np.where(lit, rng.integers(150, 256, lit.shape), rng.integers(0, 20, lit.shape)).astype(np.uint8)


TRAINED = Look.of(ink(2000, seed=1))
TRAINED_ON_FLOATS = Look.of(ink(2000, seed=1) / 255)


def test_a_look_is_counted_over_all_rows() -> None:
    X = np.zeros((2500, 4), np.uint8)
    X[2499] = (127, 128, 255, 200)
    assert Look.of(X) == Look(0, 255, 3 / 10000)
    assert Look.of(np.array([[-1.0, 0.0, 3.0, 2.0]])) == Look(-1, 3, 0.5)
    assert Part(X, np.zeros(2500, np.uint8)).look == Look.of(X)


def test_images_like_those_of_training_are_not_remarked_on() -> None:
    assert remarks(ink(), BYTES, TRAINED, "x") == []
    assert remarks(ink() / 255, FLOATS, TRAINED_ON_FLOATS, "x") == []


UNLIKE = {
    "dark on light": (
        255 - ink(),
        ["x: 90% of the pixels are light, of the training images 10%: ", "--invert"],
    ),
    "zeros and ones": (
        ink() // 150,
        ["x: no pixel is above 1, the training images reach 255", "--scale 255 "],
    ),
    "sixteen greys": (ink() // 16, ["x: no pixel is above 15, the training images reach 255", "--scale 17 "]),
}


@pytest.mark.parametrize("case", UNLIKE)
def test_images_unlike_those_of_training_are_remarked_on_with_what_mends_it(case: str) -> None:
    X, words = UNLIKE[case]
    (remark,) = remarks(X.astype(np.uint8), BYTES, TRAINED, "x")
    assert all(word in remark for word in words), remark


def test_both_faults_are_seen_together() -> None:
    darker, inverted = remarks(1 - ink() // 150, BYTES, TRAINED, "x")
    assert "--scale 255" in darker and "--invert" in inverted


def test_floats_are_compared_with_the_range_of_the_training_images() -> None:
    (brighter,) = remarks(ink().astype(float), FLOATS, TRAINED_ON_FLOATS, "x")
    assert "pixels reach 255, the training images only 1" in brighter and "--scale 0.003922 " in brighter
    (inverted,) = remarks(1 - ink() / 255, FLOATS, TRAINED_ON_FLOATS, "x")
    assert "--invert" in inverted


def test_blank_images_are_remarked_on() -> None:
    assert remarks(np.zeros((2, 1, 8, 8), np.uint8), BYTES, TRAINED, "x") == ["x: all pixels are 0"]


def test_grounds_that_are_neither_light_nor_dark_are_not_told_apart() -> None:
    photographs = dataclasses.replace(TRAINED, light=0.45)
    assert remarks(255 - ink(), BYTES, photographs, "x") == []


def test_without_a_record_of_the_training_images_only_bytes_are_judged_by_their_range() -> None:
    (remark,) = remarks(ink() // 150, BYTES, None, "x")
    assert "--scale 255" in remark
    assert remarks(255 - ink(), BYTES, None, "x") == []
    assert remarks(ink().astype(float), FLOATS, None, "x") == []


# ---- adjustments ----


def test_adjusting_undoes_what_was_remarked_on() -> None:
    np.testing.assert_array_equal(adjusted(255 - ink(), Adjustment(invert=True), BYTES, TRAINED, "x"), ink())
    np.testing.assert_array_equal(
        adjusted(1 - ink() / 255, Adjustment(255.0, invert=True), BYTES, TRAINED, "x"), ink()
    )
    np.testing.assert_allclose(
        adjusted(255 - ink(), Adjustment(1 / 255, invert=True), FLOATS, TRAINED_ON_FLOATS, "x"), ink() / 255
    )


def test_pixels_that_are_no_bytes_after_it_are_refused() -> None:
    with pytest.raises(
        UserError, match=r"x has pixels of .*\.\.65025 after --scale and --invert; .*0\.\.255: give another"
    ):
        adjusted(np.full((1, 8), 255, np.uint8), Adjustment(255.0), BYTES, TRAINED, "x")
    with pytest.raises(UserError, match=r"-128\.\..* shift them in the file, so that none is negative"):
        adjusted(ink() / 127.5 - 1, Adjustment(127.5), BYTES, TRAINED, "x")


def test_floats_of_an_unknown_range_are_not_inverted() -> None:
    with pytest.raises(UserError, match="which the run's folder does not hold: it is of an older version"):
        adjusted(ink() / 255, Adjustment(invert=True), FLOATS, None, "x")


def test_a_file_of_floats_is_read_for_a_model_of_bytes_if_a_scale_is_given(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", ink() / 255)
    with pytest.raises(
        UserError, match=r"float64; whole numbers .* if they are 0\.\.1, --scale 255 takes them"
    ):
        read_images(tmp_path / "x.npy", BYTES)
    _, X = read_images(tmp_path / "x.npy", BYTES, Adjustment(255.0))
    np.testing.assert_array_equal(X, ink())
    np.save(tmp_path / "x.npy", ink() > 127)
    with pytest.raises(UserError, match=r"bool; whole numbers .* if they are 0\.\.1, --scale 255 takes them"):
        read_images(tmp_path / "x.npy", BYTES)
    _, X = read_images(tmp_path / "x.npy", BYTES, Adjustment(255.0))
    np.testing.assert_array_equal(X, 255 * (ink() > 127))
    np.save(tmp_path / "x.npy", ink().astype(np.uint16) * 257)
    with pytest.raises(UserError, match=r"pixels are 0\.\.255: if they have 16 bits, --scale 0\.00389 takes"):
        read_images(tmp_path / "x.npy", BYTES)
    _, X = read_images(tmp_path / "x.npy", BYTES, Adjustment(0.00389))
    np.testing.assert_array_equal(X, ink())
    np.save(tmp_path / "y.npy", np.full((1, 8, 8), np.nan))
    with pytest.raises(UserError, match="values that are not finite"):
        read_images(tmp_path / "y.npy", BYTES, Adjustment(255.0))


@pytest.mark.parametrize(
    "values",
    [
        None,
        [],
        {},
        {"lowest": 0},
        TRAINED.to_mapping() | {"light": "much"},
        TRAINED.to_mapping() | {"light": 1e999},
    ],
)
def test_a_look_that_is_no_look_is_none(values: object) -> None:
    assert Look.from_mapping(values) is None
    assert Look.from_mapping(TRAINED.to_mapping()) == TRAINED
