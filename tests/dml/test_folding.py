"""Several images in a row: as many as divide both, never so many that a worker has a single row.

And several pixels in a number, if they fit.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from largebatch.data.dataset import Part
from largebatch.runs.memory import packable
from tests.support.harness import DML

pytestmark = pytest.mark.systemds


def part(X: npt.ArrayLike) -> Part:
    """Rows as the driver has them; its estimate of memory follows the rule of the DML."""
    features = np.asarray(X, np.float64)
    return Part(features, np.zeros(len(features), np.uint8))


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


@pytest.mark.parametrize("images", [1, 4, 8])
@pytest.mark.parametrize("rows", [[7], [160, 3, 4, 159, 3], list(range(160, 0, -1))])
def test_rows_are_taken_from_folded_ones_to_the_last_bit(dml: DML, images: int, rows: list[int]) -> None:
    X = np.random.default_rng(2).normal(size=(160, 6)) * (np.arange(160)[:, None] % 3)
    found = dml.call("taken.dml", {"X": X, "rows": np.array(rows)[:, None]}, ("taken",), images=images)
    np.testing.assert_array_equal(found["taken"], X[np.array(rows) - 1])


def test_four_neighbours_share_a_number(dml: DML) -> None:
    X = np.random.default_rng(1).integers(0, 256, size=(5, 12))
    X[0], X[1] = 255, 0
    found = dml.call("packing.dml", {"X": X}, ("packable", "packed", "unpacked"))
    assert found["packable"].item() == packable(part(X), 12) == 1
    np.testing.assert_array_equal(found["packed"], X.reshape(5, 3, 4) @ [1, 256, 256**2, 256**3])
    np.testing.assert_array_equal(found["unpacked"], X)


@pytest.mark.parametrize("image", [[0.5, 0, 0, 0], [256, 0, 0, 0], [-1, 0, 0, 0], [1, 2, 3], [1, 2, 3, 4, 5]])
def test_other_pixels_do_not(dml: DML, image: list[float]) -> None:
    found = dml.call("packing.dml", {"X": [image, image]}, ("packable",))
    assert found["packable"].item() == packable(part([image]), len(image)) == 0
