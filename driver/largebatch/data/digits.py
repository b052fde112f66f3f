"""Digits without a download: scikit-learn's 1797 handwritten digits, augmented to MNIST's dimensions.

The source images are divided into training and test *before* any augmentation, so that no writing is in
both. The test rows are renderings of about 300 images: their accuracy is coarser than their number suggests.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from largebatch.data.dataset import UInt8Array
from largebatch.data.made import Made

RECIPE = 1  # counts up with every change of the bytes made here
SEED = 20240229
TRAIN_ROWS, TEST_ROWS = 60_000, 10_000
TEST_SHARE = 1 / 6
SOURCE_SIZE, SIZE = 8, 28  # pixels
BOX = 20  # pixels; the digit's box before zooming, as in MNIST: it leaves room for the shifts
MAX_SHIFT = 2.0  # pixels
MAX_ANGLE = np.deg2rad(12.0)
ZOOM = (0.9, 1.1)
Float32Array = npt.NDArray[np.float32]
_CHUNK = 1000  # images rendered at a time: 3 MB per intermediate array


def split(labels: UInt8Array, rng: np.random.Generator) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Indices of the training and the test images, TEST_SHARE of each class being for test."""
    train, test = [], []
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        cut = round(len(members) * TEST_SHARE)
        test.append(members[:cut])
        train.append(members[cut:])
    return np.concatenate(train), np.concatenate(test)


def make(train_rows: int = TRAIN_ROWS, test_rows: int = TEST_ROWS) -> dict[str, UInt8Array]:
    """The arrays of the set, by the names that Dataset.from_arrays takes; equal at every call."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images, labels = bunch.images.astype(np.float32), bunch.target.astype(np.uint8)
    rng = np.random.default_rng(SEED)
    train, test = split(labels, rng)
    # Each source image appears equally often, give or take one.
    train = rng.permutation(np.resize(rng.permutation(train), train_rows))
    test = rng.permutation(np.resize(rng.permutation(test), test_rows))
    return {
        "train_images": render(images[train], rng),
        "test_images": render(images[test], rng),
        "train_labels": labels[train],
        "test_labels": labels[test],
    }


def render(images: Float32Array, rng: np.random.Generator) -> UInt8Array:
    """Images (N, 8, 8) of values 0..16, each turned, zoomed and shifted at random, as (N, 28, 28)."""
    angles = rng.uniform(-MAX_ANGLE, MAX_ANGLE, len(images)).astype(np.float32)
    zooms = rng.uniform(*ZOOM, len(images)).astype(np.float32)
    shifts = rng.uniform(-MAX_SHIFT, MAX_SHIFT, (len(images), 2)).astype(np.float32)
    out = np.empty((len(images), SIZE, SIZE), np.uint8)
    for start in range(0, len(images), _CHUNK):
        rows = slice(start, start + _CHUNK)
        y, x = _source_points(angles[rows], zooms[rows], shifts[rows])
        out[rows] = np.rint(_bilinear(images[rows], y, x) * (255 / 16))
    return out


def _source_points(
    angles: Float32Array, zooms: Float32Array, shifts: Float32Array
) -> tuple[Float32Array, Float32Array]:
    """Where each pixel of the output lies in its source image: rows and columns, each (N, 28, 28)."""
    offsets = (np.arange(SIZE) - (SIZE - 1) / 2).astype(np.float32)
    y = offsets[None, :, None] - shifts[:, 0, None, None]
    x = offsets[None, None, :] - shifts[:, 1, None, None]
    factor = SOURCE_SIZE / (BOX * zooms)
    cos = (factor * np.cos(angles))[:, None, None]
    sin = (factor * np.sin(angles))[:, None, None]
    centre = np.float32((SOURCE_SIZE - 1) / 2)
    return cos * y + sin * x + centre, cos * x - sin * y + centre


def _bilinear(images: Float32Array, y: Float32Array, x: Float32Array) -> Float32Array:
    """Values of the images (N, 8, 8) at the points (y, x) of shape (N, 28, 28); zero outside."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    side = SOURCE_SIZE + 2
    y, x = np.clip(y + 1, 0, side - 1), np.clip(x + 1, 0, side - 1)
    top = np.minimum(y.astype(np.int32), side - 2)
    left = np.minimum(x.astype(np.int32), side - 2)
    down, right = y - top.astype(np.float32), x - left.astype(np.float32)
    at = np.arange(len(images), dtype=np.int32)[:, None, None] * side**2 + top * side + left
    flat = padded.ravel()
    upper = flat[at] * (1 - right) + flat[at + 1] * right
    lower = flat[at + side] * (1 - right) + flat[at + side + 1] * right
    values: Float32Array = upper * (1 - down) + lower * down
    return values


def _shapes() -> dict[str, tuple[int, ...]]:
    return {
        "train_images": (TRAIN_ROWS, SIZE, SIZE),
        "train_labels": (TRAIN_ROWS,),
        "test_images": (TEST_ROWS, SIZE, SIZE),
        "test_labels": (TEST_ROWS,),
    }


SOURCE = Made(
    name="digits",
    title="digits (augmented)",
    material="scikit-learn's images",
    recipe=RECIPE,
    shapes=_shapes,
    make=lambda: make(TRAIN_ROWS, TEST_ROWS),
).source("made from scikit-learn's images on first use, in seconds")
