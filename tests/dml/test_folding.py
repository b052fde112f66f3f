"""Several images in a row: as many as divide both, never so many that a worker has a single row."""

from __future__ import annotations

import numpy as np
import pytest

from tests.harness import DML

pytestmark = pytest.mark.systemds


@pytest.mark.parametrize(
    ("rows", "batch", "images"),
    [
        (15000, 16, 8),  # MNIST over 4 workers, global batches of 64, 2048, 8000 and 32000
        (15000, 512, 8),
        (15000, 2000, 8),
        (15000, 1250, 5),
        (15000, 7, 1),
        (24, 24, 8),
        (7, 7, 1),
        (2, 4, 1),
        (1, 1, 1),
    ],
)
def test_images_of_a_row_divide_part_and_batch(dml: DML, rows: int, batch: int, images: int) -> None:
    X = np.arange(2.0 * images * 3).reshape(2 * images, 3)
    found = dml.call("folding.dml", {"X": X}, ("images", "folded", "unfolded"), rows=rows, batch=batch)
    assert found["images"].item() == images
    np.testing.assert_array_equal(found["folded"], X.reshape(2, -1))
    np.testing.assert_array_equal(found["unfolded"], X)
