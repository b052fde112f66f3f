"""What every data set looks like to the rest of the program, and what a source of one has to offer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from largebatch.terminal.say import Say

UInt8Array = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Grey images with labels, split into training and test rows.

    Images are uint8 of shape (N, height, width), labels uint8 of shape (N,), classes 0..C-1.
    `title` is what results show.
    """

    name: str
    title: str
    train_images: UInt8Array
    test_images: UInt8Array
    train_labels: UInt8Array
    test_labels: UInt8Array

    @property
    def height(self) -> int:
        """Rows of pixels per image."""
        return int(self.train_images.shape[1])

    @property
    def width(self) -> int:
        """Columns of pixels per image."""
        return int(self.train_images.shape[2])

    @property
    def classes(self) -> int:
        """Number of classes C: one more than the largest label of both parts."""
        return int(max(self.train_labels.max(), self.test_labels.max())) + 1

    @cached_property
    def nonzero(self) -> tuple[int, int]:
        """Pixels that are not zero, of the training and of the test images."""
        return int(np.count_nonzero(self.train_images)), int(np.count_nonzero(self.test_images))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over the set's name and the name, shape and bytes of each array."""
        digest = hashlib.sha256(f"{self.name}\n".encode())
        for field in ("train_images", "test_images", "train_labels", "test_labels"):
            array: UInt8Array = getattr(self, field)
            digest.update(f"{field} {array.shape}\n".encode())
            digest.update(array.tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Images:
    """Size of the images of a data set and the number of its classes."""

    height: int
    width: int
    classes: int
    channels: int = 1


@dataclass(frozen=True)
class PreparedData:
    """A data set in SystemDS' binary format: four matrices in one folder."""

    folder: Path
    images: Images

    def matrix(self, name: str) -> Path:
        """File of train_images, train_labels, test_images or test_labels."""
        return self.folder / name


@dataclass(frozen=True)
class Source:
    """One row of the registry.

    find(data_dir) returns the file or folder the set would be read from, or None; it reads no data.
    load(data_dir, download, say) returns the set, or raises UserError or RunError.
    """

    name: str
    title: str
    needs_network: bool
    how: str
    find: Callable[[Path | None], Path | None]
    load: Callable[[Path | None, bool, Say], Dataset]
