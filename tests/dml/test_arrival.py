"""The order of the columns in which rows reach the workers: another one stops the program."""

from __future__ import annotations

import numpy as np
import pytest

from largebatch.errors import RunError
from tests.support.harness import DML, Matrix

pytestmark = pytest.mark.systemds

ROWS, COLUMNS = 5, 2300  # three blocks of 1000 columns
KINDS = {
    "bytes": lambda rng: rng.integers(0, 256, (ROWS, COLUMNS)).astype(float),
    "packed bytes": lambda rng: rng.integers(0, 2**32, (ROWS, COLUMNS)).astype(float),
    "small floats of both signs": lambda rng: rng.normal(0, 1e-3, (ROWS, COLUMNS)),
}
y = np.column_stack([np.arange(ROWS) % 3 + 1.0, np.ones(ROWS)])


def arrive(dml: DML, sent: Matrix, X: Matrix, *, on_spark: bool = True) -> Matrix:
    """The labels that a worker has of rows that were sent, and came as X."""
    matrices = {"sent": sent, "X": X, "y": y}
    return dml.call("arrival.dml", matrices, ("own",), on_spark=on_spark)["own"]


def glued(X: Matrix, rows: list[int]) -> Matrix:
    """X, of which these rows have their blocks of 1000 columns in another order."""
    mixed = X.copy()
    mixed[rows] = np.hstack([X[rows, 1000:2000], X[rows, :1000], X[rows, 2000:]])
    return mixed


@pytest.mark.parametrize("kind", KINDS)
def test_rows_that_came_as_they_were_sent_have_their_labels(dml: DML, kind: str) -> None:
    X = KINDS[kind](np.random.default_rng(1))
    np.testing.assert_array_equal(arrive(dml, X, X), y)


@pytest.mark.parametrize("kind", KINDS)
def test_a_single_row_with_its_columns_in_another_order_stops_the_program(dml: DML, kind: str) -> None:
    X = KINDS[kind](np.random.default_rng(1))
    words = "mixed up their columns: run the program with -exec singlenode"
    with pytest.raises(RunError) as caught:
        arrive(dml, X, glued(X, [3]))
    assert words in str(caught.value)


def test_rounding_is_no_other_order(dml: DML) -> None:
    X = KINDS["small floats of both signs"](np.random.default_rng(1))
    np.testing.assert_array_equal(arrive(dml, X, X * (1 + 1e-15)), y)


def test_in_local_mode_nothing_is_summed(dml: DML) -> None:
    X = KINDS["bytes"](np.random.default_rng(1))
    np.testing.assert_array_equal(arrive(dml, X, glued(X, [3]), on_spark=False), y)
