"""Colour without a network: crops of the photographs in scikit-image and scikit-learn.

The class of a crop is its photograph. Training crops come from the left half of each photograph, test crops
from the right half, so that no pixel is in both. The set tests that colour goes through the program; what is
learnt from it holds for nothing else.
"""

from __future__ import annotations

import numpy as np

from largebatch.data.dataset import UInt8Array
from largebatch.data.made import Made
from largebatch.errors import UserError

RECIPE = 1  # counts up with every change of the bytes made here
SIDE = 32  # pixels
GRIDS = {"train": (25, 20), "test": (10, 10)}  # rows and columns of crops in a half
CLASSES = 10


def photographs() -> list[UInt8Array]:
    """The photographs, each of shape (height, width, 3). Raises UserError without scikit-image."""
    from sklearn.datasets import load_sample_images

    try:
        from skimage import data
    except ImportError:
        raise UserError("the data set patches needs scikit-image: pip install scikit-image") from None
    of_image = [
        data.astronaut(), data.chelsea(), data.coffee(), data.stereo_motorcycle()[0],
        data.immunohistochemistry(), data.hubble_deep_field(), data.retina(), data.rocket(),
    ]  # fmt: skip
    return [*of_image, *load_sample_images().images]


def make() -> dict[str, UInt8Array]:
    """The arrays of the set, by the names that Dataset.from_arrays takes; equal at every call."""
    arrays = {}
    for part, grid in GRIDS.items():
        crops = np.stack([_crops(_half(photo, part), grid) for photo in photographs()], axis=1)
        arrays[f"{part}_images"] = crops.reshape(-1, *crops.shape[2:])
        arrays[f"{part}_labels"] = np.tile(np.arange(CLASSES, dtype=np.uint8), len(crops))
    return arrays


def _half(photo: UInt8Array, part: str) -> UInt8Array:
    middle = photo.shape[1] // 2
    return photo[:, :middle] if part == "train" else photo[:, middle:]


def _crops(half: UInt8Array, grid: tuple[int, int]) -> UInt8Array:
    """Crops of shape (N, 3, SIDE, SIDE) at the points of an even grid."""
    rows, columns = (
        np.linspace(0, size - SIDE, count).astype(int) for size, count in zip(half.shape, grid, strict=False)
    )
    crops = [half[row : row + SIDE, column : column + SIDE] for row in rows for column in columns]
    return np.stack(crops).transpose(0, 3, 1, 2)


def _shapes() -> dict[str, tuple[int, ...]]:
    counts = {part: CLASSES * rows * columns for part, (rows, columns) in GRIDS.items()}
    shapes: dict[str, tuple[int, ...]] = {f"{part}_images": (n, 3, SIDE, SIDE) for part, n in counts.items()}
    return shapes | {f"{part}_labels": (n,) for part, n in counts.items()}


SOURCE = Made(
    name="patches",
    title="patches of photographs",
    material="photographs of packages",
    recipe=RECIPE,
    shapes=_shapes,
    make=make,
).source("made from photographs of scikit-image and scikit-learn on first use; tests colour, nothing else")
