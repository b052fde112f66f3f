"""The digits made from scikit-learn's images, and their cache."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from largebatch.data import Dataset, digits, load, obtain


@pytest.fixture(scope="module")
def full() -> Dataset:
    """The whole set, without a cache."""
    return Dataset.from_arrays("digits", "digits (augmented)", **digits.make())


def test_it_needs_no_network() -> None:
    assert not digits.SOURCE.needs_network


def test_shapes_and_range(full: Dataset) -> None:
    assert full.train.X.shape == (60000, 1, 28, 28)
    assert full.parts["test"].X.shape == (10000, 1, 28, 28)
    assert full.train.y.shape == (60000,)
    assert full.parts["test"].y.shape == (10000,)
    assert full.train.X.dtype == full.train.y.dtype == np.uint8
    assert (full.train.X.min(), full.train.X.max()) == (0, 255)
    assert full.classes == 10


def test_classes_are_balanced(full: Dataset) -> None:
    for labels in (full.train.y, full.parts["test"].y):
        share = np.bincount(labels) / len(labels)
        assert 0.09 < share.min() < share.max() < 0.11


def test_rows_are_shuffled(full: Dataset) -> None:
    for start in range(0, 60000, 6000):
        assert np.bincount(full.train.y[start : start + 6000], minlength=10).min() > 400


def test_ink_stays_inside(full: Dataset) -> None:
    """Shifts cut nothing off: the outermost pixels hold next to no ink."""
    border = np.ones((28, 28), bool)
    border[1:-1, 1:-1] = False
    assert full.train.X[:, 0, border].sum() < 0.001 * full.train.X.sum(dtype=np.int64)


def test_made_the_same_each_time() -> None:
    first, second = digits.make(2500, 500), digits.make(2500, 500)
    for field, array in first.items():
        np.testing.assert_array_equal(array, second[field])


def test_no_source_image_is_in_both_parts() -> None:
    labels = load_digits().target
    train, test = digits.split(labels.astype(np.uint8), np.random.default_rng(digits.SEED))
    assert sorted([*train, *test]) == list(range(1797))
    assert len(test) == pytest.approx(1797 / 6, abs=5)
    for label in range(10):
        members = int((labels == label).sum())
        assert int((labels[test] == label).sum()) == round(members / 6)


def test_source_images_differ_from_each_other() -> None:
    """Else a division by index would not keep the parts apart."""
    assert len(np.unique(load_digits().data, axis=0)) == 1797


def test_rendering_without_distortion_is_plain_scaling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digits, "MAX_ANGLE", 0.0)
    monkeypatch.setattr(digits, "MAX_SHIFT", 0.0)
    monkeypatch.setattr(digits, "ZOOM", (1.0, 1.0))
    source = np.zeros((1, 8, 8), np.float32)
    source[0, 0, 0] = 16
    image = digits.render(source, np.random.default_rng(0))[0]
    # Source pixels are 2.5 wide; the first has its centre 1.25 inside a box that begins at 4.
    points = (np.arange(28) + 0.5 - 4 - 1.25) / 2.5
    ramp = np.maximum(0, 1 - np.abs(points))
    np.testing.assert_allclose(image, 255 * np.outer(ramp, ramp), atol=0.51)


@pytest.fixture
def few(cache_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Cache file of a smaller set."""
    monkeypatch.setattr(digits, "TRAIN_ROWS", 60)
    monkeypatch.setattr(digits, "TEST_ROWS", 10)
    return cache_home / "data" / "digits" / f"digits-{digits.RECIPE}.npz"


def test_cache_is_used(few: Path) -> None:
    said: list[str] = []
    first = load("digits", say=said.append)
    assert (first.name, first.title) == ("digits", "digits (augmented)")
    assert len(said) == 1
    assert load("digits", say=said.append).fingerprint == first.fingerprint
    assert len(said) == 1
    assert obtain("digits") == few
    assert [p.name for p in few.parent.iterdir()] == [few.name]


def damaged(stored: bytes, how: str) -> bytes:
    """A copy of the cache file that must not be believed."""
    if how == "flipped bit":
        middle = len(stored) // 2
        return stored[:middle] + bytes((stored[middle] ^ 1,)) + stored[middle + 1 :]
    return {"empty": b"", "text": b"not an archive", "cut": stored[:-100]}[how]


@pytest.mark.parametrize("how", ["empty", "text", "cut", "flipped bit"])
def test_damaged_cache_is_made_anew(few: Path, how: str) -> None:
    first = load("digits").fingerprint
    stored = few.read_bytes()
    few.write_bytes(damaged(stored, how))
    assert load("digits").fingerprint == first
    assert few.read_bytes()[:100] == stored[:100]
    assert len(few.read_bytes()) == len(stored)


def test_cache_of_other_shapes_is_made_anew(few: Path) -> None:
    first = load("digits").fingerprint
    few_rows = np.zeros(3, np.uint8)
    np.savez(few, train_images=few_rows, test_images=few_rows, train_labels=few_rows, test_labels=few_rows)
    assert load("digits").fingerprint == first


def test_cache_that_cannot_be_written_costs_no_run(few: Path, cache_home: Path) -> None:
    cache_home.parent.mkdir()
    cache_home.write_text("a file in the way")
    said: list[str] = []
    assert load("digits", say=said.append).classes == 10
    assert "cannot be written" in said[-1]


def test_data_dir_is_said_to_be_unused(few: Path, tmp_path: Path) -> None:
    said: list[str] = []
    load("digits", tmp_path, say=said.append)
    assert "is not used" in said[0]
