"""The validation part that is cut off the training rows."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from largebatch.data import Dataset
from largebatch.data.dataset import Part
from largebatch.data.validation import choose_rows, cut, cut_validation
from largebatch.errors import UserError
from largebatch.runs.prepare import prepared_folder
from tests.support.samples import dataset


def labelled(y: np.ndarray) -> Dataset:
    """A set whose rows are their own numbers."""
    return Dataset("a", "A", Part(np.arange(len(y), dtype=np.float64)[:, None], y))


def test_no_rows_leave_the_set_as_it_is() -> None:
    whole = dataset()
    assert cut_validation(whole, 0) is whole


def test_every_row_is_in_one_part_with_its_label_and_in_its_order() -> None:
    y = np.tile(np.array([3, 1, 0, 2, 1], np.uint8), 20)
    cut = cut_validation(labelled(y), 23)
    train, validation = (cut.parts[name] for name in ("train", "validation"))
    numbers = [part.X[:, 0].astype(int) for part in (train, validation)]
    assert [len(part) for part in (train, validation)] == [77, 23]
    np.testing.assert_array_equal(np.sort(np.concatenate(numbers)), np.arange(100))
    for part, rows in zip((train, validation), numbers, strict=True):
        np.testing.assert_array_equal(part.y, y[rows])
        assert (np.diff(rows) > 0).all()


def test_the_test_part_is_untouched() -> None:
    whole = dataset()
    assert cut_validation(whole, 6).test is whole.test


@given(
    labels=st.lists(st.integers(0, 4), min_size=2, max_size=60),
    share=st.fractions(0, 1),
)
def test_each_class_gives_its_share_but_for_less_than_a_row(labels: list[int], share: Fraction) -> None:
    y = np.array(labels)
    count = int(share * len(y))
    chosen = choose_rows(y, count)
    assert chosen.sum() == count
    for label in np.unique(y):
        exact = count * (y == label).sum() / len(y)
        assert abs((chosen & (y == label)).sum() - exact) < 1


def test_the_largest_remainders_get_the_rows_that_are_left() -> None:
    """Of 4 of 10 rows the classes' shares are 2.0, 1.2 and 0.8."""
    y = np.repeat([0, 1, 2], [5, 3, 2])
    assert np.bincount(y[choose_rows(y, 4)]).tolist() == [2, 1, 1]


def test_a_larger_cut_has_the_rows_of_a_smaller_one_where_classes_are_even() -> None:
    y = np.tile(np.arange(10), 30)
    few, many = choose_rows(y, 50), choose_rows(y, 100)
    assert (many | ~few).all()


def test_the_same_rows_are_cut_by_every_version() -> None:
    chosen = np.flatnonzero(choose_rows(np.arange(30) % 3, 6))
    assert chosen.tolist() == [9, 13, 18, 20, 25, 26]


def test_a_cut_set_has_files_of_its_own_but_is_known_as_the_whole_one(cache_home: object) -> None:
    whole = dataset()
    few, more = cut_validation(whole, 4), cut_validation(whole, 8)
    assert len({prepared_folder(one) for one in (whole, few, more)}) == 3
    assert whole.origin == few.origin == more.origin == whole.fingerprint


@pytest.mark.parametrize("rows", [40, 41, 10**9])
def test_a_cut_that_leaves_no_rows_is_refused(rows: int) -> None:
    with pytest.raises(UserError, match=f"--validation-rows {rows} leaves no training row of the 40 of tiny"):
        cut_validation(dataset(), rows)


def test_a_cut_that_takes_the_last_row_of_a_class_is_refused() -> None:
    y = np.array([0] * 9 + [7])
    with pytest.raises(
        UserError, match="--validation-rows 6 leaves no training row of class 7 of A; lower it"
    ):
        cut_validation(labelled(y), 6)
    assert len(cut_validation(labelled(y), 2).train) == 8


def test_fewer_training_rows_are_a_sample_of_what_the_validation_part_leaves() -> None:
    y = np.tile(np.array([3, 1, 0, 2, 1], np.uint8), 20)
    whole = labelled(y)
    few = cut(whole, 20, 40)
    assert [len(part) for part in few.parts.values()] == [40, 20]
    assert np.bincount(few.train.y).tolist() == [8, 16, 8, 8]
    assert (np.diff(few.train.X[:, 0]) > 0).all()
    assert few.validation is not None
    assert not np.isin(few.train.X, few.validation.X).any()
    assert few.origin == whole.fingerprint != few.fingerprint


def test_all_training_rows_are_the_set_itself() -> None:
    whole = dataset()
    assert cut(whole, 0, 0) is whole
    assert cut(whole, 0, 40) is whole


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (41, "--train-rows 41 is more than the 40 training rows of tiny"),
        (1, "--train-rows 1 leaves no training row of class"),
    ],
)
def test_training_rows_that_are_not_there_or_lack_a_class_are_refused(rows: int, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        cut(dataset(), 0, rows)
