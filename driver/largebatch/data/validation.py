"""Fewer training rows: a part to choose settings by, so that the test part stays unseen; or a sample."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from largebatch.data.dataset import Dataset
from largebatch.data.stored import Array
from largebatch.errors import UserError

SEED = 20240229  # the same rows are cut off for every run, whatever its seed


def cut(dataset: Dataset, validation_rows: int, train_rows: int, test_part: bool = True) -> Dataset:
    """The set with a validation part of some rows, then with some training rows only; 0 leaves it as it is.

    Without `test_part` the set has no test part. Raises UserError if there are not as many rows, or a class
    would have none to train on.
    """
    whole = dataset if test_part else _without_test(dataset)
    return _shortened(cut_validation(whole, validation_rows), train_rows)


def _without_test(dataset: Dataset) -> Dataset:
    return dataclasses.replace(dataset, test=None, cut_from=dataset.origin)


def _shortened(dataset: Dataset, rows: int) -> Dataset:
    """The set with a stratified sample of its training part, in the same order."""
    y = dataset.train.y
    if rows in (0, len(y)):
        return dataset
    if rows > len(y):
        raise UserError(
            f"--train-rows {rows} is more than the {len(y)} training rows of {dataset.title}; lower it"
        )
    chosen = choose_rows(y, rows)
    lost = np.setdiff1d(y, y[chosen])
    if len(lost):
        raise UserError(
            f"--train-rows {rows} leaves no training row of class {lost[0]} of {dataset.title}; raise it"
        )
    train = dataset.train.rows(np.flatnonzero(chosen))
    return dataclasses.replace(dataset, train=train, cut_from=dataset.origin)


def cut_validation(dataset: Dataset, rows: int) -> Dataset:
    """The set with `rows` rows of its training part as its validation part; the set itself for 0 rows.

    The cut is stratified: each class gives its share of the rows, by largest remainders. Rows keep their
    order in both parts. Raises UserError if the training part would lose all rows, or all of a class.
    """
    if rows == 0:
        return dataset
    if dataset.validation is not None:
        raise UserError(f"{dataset.title} has a validation part of its own: leave out --validation-rows")
    y = dataset.train.y
    if rows >= len(y):
        raise UserError(
            f"--validation-rows {rows} leaves no training row of the {len(y)} of {dataset.title}; lower it"
        )
    chosen = choose_rows(y, rows)
    lost = np.setdiff1d(y, y[~chosen])
    if len(lost):
        raise UserError(
            f"--validation-rows {rows} leaves no training row of class {lost[0]} of {dataset.title}; lower it"
        )
    return dataclasses.replace(
        dataset,
        train=dataset.train.rows(np.flatnonzero(~chosen)),
        validation=dataset.train.rows(np.flatnonzero(chosen)),
        cut_from=dataset.origin,
    )


def choose_rows(y: Array, count: int) -> npt.NDArray[np.bool_]:
    """Which rows of the classes y, of shape (N,), go into a stratified sample of `count` rows."""
    classes, of_class = np.unique(y, return_counts=True)
    shares, remainders = np.divmod(count * of_class, len(y))
    shares[np.argsort(-remainders, kind="stable")[: count - shares.sum()]] += 1
    # Raw bits, because NumPy keeps them the same in all versions, unlike its permutations.
    order = np.argsort(np.random.PCG64(SEED).random_raw(len(y)), kind="stable")
    chosen = np.zeros(len(y), bool)
    for label, share in zip(classes, shares, strict=True):
        chosen[order[y[order] == label][:share]] = True
    return chosen
