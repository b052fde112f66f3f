"""Data sets in one .npz file, with the names that Keras and MedMNIST use."""

from __future__ import annotations

import math
import zipfile
import zlib
from pathlib import Path

import numpy as np

from largebatch.data.dataset import Contents, Format, Reading
from largebatch.data.idx import MAX_BYTES
from largebatch.data.npy import read_header
from largebatch.data.rows import as_classes, as_rows
from largebatch.data.stored import Array, Rows
from largebatch.errors import UserError
from largebatch.terminal.say import Say

NAMES = (  # of the arrays of each part
    {"train": ("x_train", "y_train"), "test": ("x_test", "y_test"), "validation": ("x_val", "y_val")},
    {
        "train": ("train_images", "train_labels"),
        "test": ("test_images", "test_labels"),
        "validation": ("val_images", "val_labels"),
    },
)


def read(path: Path, reading: Reading, say: Say) -> Contents:
    """The parts of a file. Raises UserError for anything but plain arrays of customary names."""
    try:
        with zipfile.ZipFile(path) as archive:
            there = {name.removesuffix(".npy") for name in archive.namelist()}
            names = next((names for names in NAMES if there.issuperset(names["train"])), None)
            if names is None:
                wanted = " or ".join(f"{x} and {y}" for x, y in (names["train"] for names in NAMES))
                raise UserError(f"{path} holds {', '.join(sorted(there)) or 'nothing'}; {wanted} are wanted")
            return Contents(
                {
                    part: _part(archive, path, x, y, reading)
                    for part, (x, y) in names.items()
                    if x in there or y in there
                }
            )
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError) as error:
        raise UserError(f"{path} cannot be read as an .npz file: {error}") from error


def _part(archive: zipfile.ZipFile, path: Path, x: str, y: str, reading: Reading) -> tuple[Rows, Array]:
    X = as_rows(_array(archive, path, x), reading.shape, f"{path}: {x}")
    return X, as_classes(_array(archive, path, y), len(X), f"{path}: {y}")


def _array(archive: zipfile.ZipFile, path: Path, name: str) -> Array:
    """An array, whose header and size agree before any value is read."""
    shown = f"{path}: {name}"
    try:
        entry = archive.getinfo(f"{name}.npy")
    except KeyError:
        raise UserError(f"{path} lacks {name}") from None
    if entry.file_size > MAX_BYTES:
        raise UserError(
            f"{shown} is too large: {entry.file_size} bytes, more than {MAX_BYTES}: unpack "
            f"{path.name}, and name the folder of its .npy files"
        )
    with archive.open(entry) as stored:
        shape, fortran, dtype = read_header(stored, shown)
        if dtype.hasobject:
            raise UserError(f"{shown} holds Python objects, which are never read; save plain numbers")
        if math.prod(shape) * dtype.itemsize != entry.file_size - stored.tell():
            raise UserError(f"{shown} is damaged: its header and its size differ")
        values = np.frombuffer(stored.read(), dtype)
    return values.reshape(shape, order="F" if fortran else "C")


FORMAT = Format(".npz", lambda path: path.suffix.lower() == ".npz" and path.is_file(), read, ("shape",))
