"""What every data set looks like to the rest of the program, and what a source of data sets must offer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from largebatch.data.look import Look
from largebatch.data.stored import Array, Rows, blocks, taken
from largebatch.errors import UserError
from largebatch.terminal.say import Say
from largebatch.terminal.words import counted

UInt8Array = npt.NDArray[np.uint8]

KINDS = (np.uint8, np.float32, np.float64)  # of the numbers in X
BYTE_SCALE = 255  # pixels in bytes are divided by it


@dataclass(frozen=True)
class Images:
    """Size of the images of a data set, the number of its classes, and what the pixels are divided by."""

    height: int
    width: int
    classes: int
    channels: int = 1
    pixel_scale: int = BYTE_SCALE

    @property
    def pixels(self) -> int:
        """Numbers of an image, those of all channels."""
        return self.channels * self.height * self.width

    def padded(self, side: int) -> Images:
        """The size with zeros around, so that no side has fewer than so many pixels."""
        return replace(self, height=max(self.height, side), width=max(self.width, side))

    @property
    def in_bytes(self) -> bool:
        """Whether the pixels are whole numbers 0..255."""
        return self.pixel_scale == BYTE_SCALE


@dataclass(frozen=True, eq=False)
class Part:
    """Rows of a data set.

    X holds images of shape (N, channels, height, width), or features of shape (N, D), in memory or in files.
    Its type is uint8, float32 or float64. y holds the class of each row, of shape (N,): whole numbers from 0.
    Raises UserError for other arrays.
    """

    X: Rows
    y: Array

    def __post_init__(self) -> None:
        if self.X.dtype not in KINDS or self.X.ndim not in (2, 4) or not self.X.size:
            raise UserError(
                f"X is of type {self.X.dtype} and shape {self.X.shape}; it must be uint8, float32 or "
                "float64 of shape (N, channels, height, width) or (N, features), and not empty"
            )
        if self.y.dtype.kind not in "ui" or self.y.shape != self.X.shape[:1] or self.y.min() < 0:
            raise UserError(
                f"y is of type {self.y.dtype} and shape {self.y.shape}; it must hold whole numbers from 0, "
                f"one for each of the {len(self.X)} rows of X"
            )
        if self.X.dtype != np.uint8:
            by_row = [np.isfinite(block).reshape(len(block), -1).all(1) for block in blocks(self.X)]
            unusable = np.flatnonzero(~np.concatenate(by_row))
            if len(unusable):
                raise UserError(
                    f"X has numbers that are not finite in {counted(len(unusable), 'row')}, first in row "
                    f"{unusable[0]}, counted from 0: leave out or mend these rows"
                )

    def __len__(self) -> int:
        """Number of rows N."""
        return len(self.X)

    @cached_property
    def nonzero(self) -> int:
        """Numbers in X that are not zero."""
        return sum(int(np.count_nonzero(block)) for block in blocks(self.X))

    @cached_property
    def in_bytes(self) -> bool:
        """Whether X has whole numbers 0..255 alone."""
        return self.X.dtype == np.uint8 or all(
            bool(block.min() >= 0 and block.max() <= BYTE_SCALE and (np.floor(block) == block).all())
            for block in blocks(self.X)
        )

    @cached_property
    def look(self) -> Look:
        """What X looks like."""
        return Look.of(self.X)

    def rows(self, which: slice | npt.NDArray[np.intp]) -> Part:
        """The part with these rows only, in this order."""
        return Part(taken(self.X, which), self.y[which])


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set in parts: rows to train on, to test on, and to choose settings by (validation).

    Results show the `title`. `cut_from` is the fingerprint before training rows were cut off. There are
    `least_classes` at least, also if no row is of the last ones. `class_names` are those of classes 0,
    1, ..., and empty if numbers are all that is known; see `names`.
    Raises UserError if the parts have rows of different shapes or types.
    """

    name: str
    title: str
    train: Part
    test: Part | None = None
    validation: Part | None = None
    cut_from: str | None = None
    least_classes: int = 0
    class_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        kinds = {part: (rows.X.shape[1:], rows.X.dtype) for part, rows in self.parts.items()}
        if len(set(kinds.values())) > 1:
            shown = ", ".join(f"{part} {dtype} {shape}" for part, (shape, dtype) in kinds.items())
            raise UserError(f"the parts of {self.title} must have rows of one shape and type, not {shown}")

    @classmethod
    def from_arrays(cls, name: str, title: str, **arrays: Array) -> Self:
        """A set from train_images and train_labels and, if it has a test part, test_images and test_labels.

        Images of one channel may have the shape (N, height, width).
        """
        parts = {
            field.removesuffix("_images"): Part(_with_channels(X), arrays[field.replace("images", "labels")])
            for field, X in arrays.items()
            if field.endswith("_images")
        }
        return cls(name, title, parts["train"], parts.get("test"), parts.get("validation"))

    @property
    def parts(self) -> dict[str, Part]:
        """The parts that there are, by name."""
        named = {"train": self.train, "test": self.test, "validation": self.validation}
        return {name: part for name, part in named.items() if part is not None}

    @property
    def images(self) -> Images:
        """Size of the images. D features are an image with one row of D pixels."""
        shape = self.train.X.shape[1:]
        channels, height, width = shape if len(shape) == 3 else (1, 1, *shape)
        scale = BYTE_SCALE if self.train.X.dtype == np.uint8 else 1
        return Images(height, width, self.classes, channels, scale)

    @cached_property
    def classes(self) -> int:
        """Number of classes C: one more than the largest label of all parts, or `least_classes`."""
        largest = max(int(part.y.max()) for part in self.parts.values())
        return max(largest + 1, self.least_classes)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the C classes; none unless each has one."""
        found = self.class_names[: self.classes]  # the last ones may have no row
        return found if len(found) == self.classes else ()

    @property
    def origin(self) -> str:
        """Fingerprint of the set as it was loaded, before training rows were cut off."""
        return self.cut_from or self.fingerprint

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over the set's name and the name, shape, type and values of each array."""
        digest = hashlib.sha256(f"{self.name}\n".encode())
        fields: dict[str, Rows] = {f"{name}_images": part.X for name, part in self.parts.items()}
        fields |= {f"{name}_labels": _in_bytes(part.y) for name, part in self.parts.items()}
        for field, array in fields.items():
            kind = "" if array.dtype == np.uint8 else f" {array.dtype}"
            digest.update(f"{field} {_without_one_channel(array.shape)}{kind}\n".encode())
            for block in blocks(array):
                digest.update(np.ascontiguousarray(block).data.cast("B"))
        return digest.hexdigest()


def _with_channels(X: Array) -> Array:
    """Images of shape (N, height, width) as (N, 1, height, width); all others as they are."""
    return X[:, None] if X.ndim == 3 else X


def _without_one_channel(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The reverse, for fingerprints: those in run folders were made before data sets had channels."""
    return (shape[0], *shape[2:]) if len(shape) == 4 and shape[1] == 1 else shape


def _in_bytes(y: Array) -> Array:
    """The labels as uint8 if they fit, else as int64: equal labels must give equal fingerprints."""
    return y.astype(np.uint8 if y.max() < 256 else np.int64)


@dataclass(frozen=True)
class PreparedData:
    """A data set in SystemDS' binary format: two matrices for each of its parts, in one folder.

    With `in_shards` the matrices of all parts are the same two: see dml/placements/executors.dml.
    """

    folder: Path
    images: Images
    parts: tuple[str, ...] = ("train", "test")
    in_shards: bool = False

    def matrix(self, name: str) -> Path:
        """File of a matrix, such as train_images."""
        return self.folder / (name.partition("_")[2] if self.in_shards else name)

    @property
    def matrices(self) -> dict[str, Path]:
        """The files by name: train_images, train_labels, and those of the other parts."""
        names = (f"{part}_{kind}" for part in self.parts for kind in ("images", "labels"))
        return {name: self.matrix(name) for name in names}


@dataclass(frozen=True)
class Reading:
    """How files of a user's own are read. Height comes before width.

    resize   size that pictures get
    grey     whether pictures in colour become grey
    shape    channels, height and width of images that are stored as flat rows
    """

    resize: tuple[int, int] | None = None
    grey: bool = False
    shape: tuple[int, int, int] | None = None


Parts = dict[str, tuple[Rows, Array]]  # X and y of "train", "test", "validation", as a file has them


@dataclass(frozen=True)
class Contents:
    """What a file or folder has: the parts, and the names of classes 0, 1, ... where labels are words."""

    parts: Parts
    class_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Format:
    """One format of data sets that are named by a path; `options` of a Reading are those that it takes.

    fits(path) says whether a file or folder looks like it. read(path, reading, say) returns what it has, or
    raises UserError.
    """

    title: str
    fits: Callable[[Path], bool]
    read: Callable[[Path, Reading, Say], Contents]
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """One row of the registry.

    find(data_dir) returns the file or folder the set would be read from, or None; it reads no data. Raises
    UserError if the user names a folder that is none.
    load(data_dir, download, say) returns the set, or raises UserError or RunError.
    """

    name: str
    title: str
    needs_network: bool
    how: str
    find: Callable[[Path | None], Path | None]
    load: Callable[[Path | None, bool, Say], Dataset]
