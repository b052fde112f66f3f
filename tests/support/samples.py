"""A small data set for tests of the driver, and the same as IDX files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from largebatch.data import Dataset
from largebatch.data.idx import write_idx


def dataset(rows: int = 40, side: int = 4, title: str = "tiny", shift: int = 0) -> Dataset:
    """`rows` training and 8 test images of side x side pixels, three classes; `shift` alters the pixels."""
    pixels = (np.arange((rows + 8) * side * side) + shift).astype(np.uint8).reshape(-1, side, side)
    labels = (np.arange(rows + 8) % 3).astype(np.uint8)
    return Dataset("idx", title, pixels[:rows], pixels[rows:], labels[:rows], labels[rows:])


def write_dataset(folder: Path, rows: int = 40, side: int = 4) -> Path:
    """The four IDX files of `dataset`; returns the folder."""
    data = dataset(rows, side)
    write_idx(folder / "train-images-idx3-ubyte", data.train_images)
    write_idx(folder / "train-labels-idx1-ubyte", data.train_labels)
    write_idx(folder / "t10k-images-idx3-ubyte", data.test_images)
    write_idx(folder / "t10k-labels-idx1-ubyte", data.test_labels)
    return folder
