"""The sum by which rows that SystemDS has put together wrongly are seen."""

from __future__ import annotations

import numpy as np
import pytest

from largebatch.engine.systemds import TOLERANCE, _places

RNG = np.random.default_rng(3)


@pytest.mark.parametrize(
    "array", [RNG.integers(0, 256, (50, 7)).astype(np.uint8), RNG.standard_normal((50, 7))]
)
def test_every_number_counts_by_the_number_of_its_row(array: np.ndarray) -> None:
    total, size = _places(np.array_split(array, 4))
    exact = array.astype(np.float64)
    assert total == pytest.approx(sum((i + 1) * x for i, row in enumerate(exact) for x in row))
    assert size == pytest.approx(sum((i + 1) * abs(x) for i, row in enumerate(exact) for x in row))


def test_rows_that_are_lost_or_swapped_are_seen_in_a_large_array() -> None:
    array = RNG.integers(0, 256, (60000, 100)).astype(np.uint8)
    total, size = _places([array])
    swapped = array.copy()
    swapped[[4000, 4001]] = array[[4001, 4000]]
    for other in (np.delete(array, slice(4000, 5000), axis=0), swapped):
        assert abs(_places([other])[0] - total) > TOLERANCE * size
