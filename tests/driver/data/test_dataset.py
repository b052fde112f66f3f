"""What a data set is made of, what is refused, and its fingerprint."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from largebatch.data import Dataset, digits
from largebatch.data.dataset import Images, Part
from largebatch.errors import UserError
from tests.support.samples import dataset

LABELS = np.array([0, 2, 1, 0, 2], np.uint8)


def part(shape: tuple[int, ...] = (5, 3, 2, 4), kind: type = np.uint8, labels: np.ndarray = LABELS) -> Part:
    return Part(np.arange(np.prod(shape)).reshape(shape).astype(kind), labels)


# ---- parts ----


def test_a_set_has_the_parts_that_it_was_given() -> None:
    alone = Dataset("a", "A", part())
    assert list(alone.parts) == ["train"]
    assert list(Dataset("a", "A", part(), part(), part()).parts) == ["train", "test", "validation"]
    assert len(alone.train) == 5


def test_arrays_without_channels_are_images_of_one_channel() -> None:
    X = np.arange(40, dtype=np.uint8).reshape(5, 2, 4)
    made = Dataset.from_arrays("a", "A", train_images=X, train_labels=LABELS)
    assert list(made.parts) == ["train"]
    np.testing.assert_array_equal(made.train.X, X[:, None])
    np.testing.assert_array_equal(made.train.y, LABELS)


@pytest.mark.parametrize(
    ("train", "images"),
    [
        (part((5, 1, 2, 4)), Images(height=2, width=4, classes=3, channels=1, pixel_scale=255)),
        (part((5, 3, 2, 4)), Images(height=2, width=4, classes=3, channels=3, pixel_scale=255)),
        (part((5, 3, 2, 4), np.float32), Images(height=2, width=4, classes=3, channels=3, pixel_scale=1)),
        (part((5, 7), np.float64), Images(height=1, width=7, classes=3, channels=1, pixel_scale=1)),
        (part((5, 7)), Images(height=1, width=7, classes=3, channels=1, pixel_scale=255)),
    ],
)
def test_size_and_scale_of_images_and_features(train: Part, images: Images) -> None:
    assert Dataset("a", "A", train).images == images


def test_classes_are_those_of_all_parts() -> None:
    for name in ("train", "test", "validation"):
        parts = {"train": part(), name: part(labels=LABELS + np.uint8(7))}
        assert Dataset("a", "A", **parts).classes == 10  # type: ignore[arg-type]


def test_numbers_that_are_not_zero_are_counted() -> None:
    assert part((5, 8)).nonzero == 39


def test_rows_are_taken_with_their_labels() -> None:
    some = part((5, 2)).rows(np.array([3, 1]))
    assert some.X.tolist() == [[6, 7], [2, 3]]
    assert some.y.tolist() == [0, 2]


# ---- refusals ----


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (
            np.zeros((5, 2, 2), np.uint8),
            LABELS,
            r"X is of type uint8 and shape \(5, 2, 2\); it must be uint8",
        ),
        (np.zeros((5, 2), np.int64), LABELS, "X is of type int64"),
        (np.zeros((5, 2), ">f4"), LABELS, "X is of type >f4"),
        (np.zeros((0, 2), np.uint8), LABELS[:0], "and not empty"),
        (np.zeros((4, 2)), LABELS, r"y is of type uint8 and shape \(5,\); .* each of the 4 rows of X"),
        (np.zeros((5, 2)), LABELS[:, None], r"y is of type uint8 and shape \(5, 1\)"),
        (np.zeros((5, 2)), LABELS / 1.0, "y is of type float64"),
        (np.zeros((5, 2)), LABELS.astype(np.int8) - 1, "whole numbers from 0"),
        (np.array([[0.0], [1], [np.nan], [1], [1]]), LABELS, "X has numbers that are not finite"),
        (
            np.array([[0.0], [1], [np.inf], [1], [1]]),
            LABELS,
            "X has numbers that are not finite in 1 row, first in row 2",
        ),
    ],
)
def test_arrays_that_cannot_be_trained_on_are_refused(X: Any, y: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Part(X, y)


@pytest.mark.parametrize("other", [part((5, 3, 4, 2)), part(kind=np.float32)])
def test_parts_with_unlike_rows_are_refused(other: Part) -> None:
    for name in ("test", "validation"):
        with pytest.raises(
            UserError, match="the parts of A must have rows of one shape and type, not train uint8"
        ):
            dataclasses.replace(Dataset("a", "A", part()), **{name: other})  # type: ignore[arg-type]


# ---- fingerprints ----


def test_fingerprints_are_those_of_version_0_1() -> None:
    """Run folders and prepared files made then are found by them."""
    assert dataset().fingerprint == "69f4e2c43af8e62b506e267bd5b470a13ce36c5285c0c12c8a2ab7df852a56ec"
    few = Dataset.from_arrays("digits", "digits (augmented)", **digits.make(60, 10))
    assert few.fingerprint == "1b9c094a5ef5281e987b9d2c404d71da6e8bd75677fd84359c288b9b4a917f82"


def test_a_fingerprint_depends_on_all_that_is_trained_on() -> None:
    plain = Dataset("a", "A", part(), part())
    others = [
        Dataset("b", "A", part(), part()),
        Dataset("a", "A", part()),
        Dataset("a", "A", part(), validation=part()),
        Dataset("a", "A", part(), part(), part()),
        Dataset("a", "A", part((5, 2, 3, 4)), part((5, 2, 3, 4))),
        Dataset("a", "A", part((5, 24)), part((5, 24))),
        Dataset("a", "A", part(kind=np.float32), part(kind=np.float32)),
        Dataset("a", "A", part(labels=LABELS[::-1]), part()),
        Dataset("a", "A", part(), part(labels=LABELS[::-1])),
    ]
    assert len({one.fingerprint for one in (plain, *others)}) == len(others) + 1
    assert dataclasses.replace(plain, title="B").fingerprint == plain.fingerprint


@pytest.mark.parametrize("kind", [np.int64, np.uint16])
def test_equal_labels_have_equal_fingerprints_whatever_their_type(kind: type) -> None:
    wide = Dataset("a", "A", part(labels=LABELS.astype(kind)))
    assert wide.fingerprint == Dataset("a", "A", part()).fingerprint


def test_labels_beyond_a_byte_have_a_fingerprint_of_their_own() -> None:
    labels = LABELS.astype(np.int64)
    labels[0] = 256
    assert Dataset("a", "A", part(labels=labels)).fingerprint != Dataset("a", "A", part()).fingerprint
