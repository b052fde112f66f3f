"""Small data sets, in memory and as files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from largebatch.data import Dataset
from largebatch.data.idx import idx_header, write_idx
from largebatch.data.idx_folder import PARTS, spellings


def dataset(rows: int = 40, side: int = 4, title: str = "tiny", shift: int = 0) -> Dataset:
    """`rows` training and 8 test images of side x side pixels, three classes; `shift` alters the pixels."""
    pixels = (np.arange((rows + 8) * side * side) + shift).astype(np.uint8).reshape(-1, side, side)
    labels = (np.arange(rows + 8) % 3).astype(np.uint8)
    train, test = slice(rows), slice(rows, None)
    return Dataset.from_arrays(
        "idx",
        title,
        train_images=pixels[train],
        train_labels=labels[train],
        test_images=pixels[test],
        test_labels=labels[test],
    )


def write_dataset(folder: Path, rows: int = 40, side: int = 4) -> Path:
    """The four IDX files of `dataset`; returns the folder."""
    parts = dataset(rows, side).parts
    for name, word in (("train", "train"), ("test", "t10k")):
        write_idx(folder / f"{word}-images-idx3-ubyte", parts[name].X[:, 0])
        write_idx(folder / f"{word}-labels-idx1-ubyte", parts[name].y)
    return folder


def write_small_mnist(folder: Path) -> dict[str, tuple[tuple[int, ...], str]]:
    """A set of 3 training and 2 test images in MNIST's files; returns their shapes and sums."""
    files = {}
    for number, part in enumerate(PARTS):
        rows = 3 if part.startswith("train") else 2
        array = np.full((rows, 4, 4) if part.endswith("images") else (rows,), number, np.uint8)
        write_idx(folder / f"{spellings(part)[0]}.gz", array)
        files[part] = array.shape, hashlib.sha256(idx_header(array.shape) + array.tobytes()).hexdigest()
    return files


def write_bars(folder: Path, rows: int, side: int, seed: int) -> Path:
    """An IDX data set of noisy bars, three classes: where the bright bar is, left, middle or right."""
    rng = np.random.default_rng(seed)
    for prefix, count in (("train", rows), ("t10k", rows // 4)):
        labels = rng.integers(0, 3, count).astype(np.uint8)
        images = rng.integers(0, 120, (count, side, side)).astype(np.uint8)
        for image, label in zip(images, labels, strict=True):
            third = side // 3
            image[:, label * third : (label + 1) * third] += 80
        write_idx(folder / f"{prefix}-images-idx3-ubyte", images)
        write_idx(folder / f"{prefix}-labels-idx1-ubyte", labels)
    return folder
