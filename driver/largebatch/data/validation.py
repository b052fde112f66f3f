"""A validation part, cut off the training rows: to choose settings by, so that the test part stays unseen."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from largebatch.data.dataset import Array, Dataset
from largebatch.errors import UserError

SEED = 20240229  # the same rows are cut off for every run, whatever its seed


def cut_validation(dataset: Dataset, rows: int) -> Dataset:
    """The set with `rows` rows of its training part as its validation part; the set itself for 0 rows.

    The cut is stratified: each class gives its share of the rows, by largest remainders. Rows keep their
    order in both parts. Raises UserError if the training part would lose all rows, or all of a class.
    """
    if rows == 0:
        return dataset
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
        cut_from=dataset.fingerprint,
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
