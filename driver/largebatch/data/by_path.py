"""Data sets that are named by a path: the format is seen by what is there."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from largebatch.data import cifar_files, class_folders, idx_folder, npy_files, npz, parquet
from largebatch.data.dataset import Dataset, Part, Parts, Reading
from largebatch.data.paths import refuse_options
from largebatch.data.rows import check_classes
from largebatch.data.stored import Array, Rows, mapped
from largebatch.errors import UserError
from largebatch.files.names import slip
from largebatch.terminal.say import Say

FORMATS = (  # the first one that fits counts
    npz.FORMAT,
    npy_files.FORMAT,
    idx_folder.FORMAT,
    cifar_files.FORMAT,
    parquet.FORMAT,
    class_folders.FORMAT,
)


def load_path(path: Path, name: str, reading: Reading, say: Say) -> Dataset:
    """The data set in a file or folder, called `name`: it keeps the name where it moves to another folder.

    Raises UserError if it is not there, or not usable.
    """
    try:
        form = next((form for form in FORMATS if form.fits(path)), None)
        if form is None:
            found = "is no data set" if path.exists() else "is not there"
            wanted = (not path.exists() and slip(str(path))) or _wanted()
            raise UserError(f"{path} {found}; {wanted}")
        refuse_options(reading, form.options, f"data in {form.title}")
        say(f"reading {path} as {form.title}")
        contents = form.read(path, reading, say)
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise UserError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    arrays = contents.parts
    check_classes(arrays["train"][1], {p: y for p, (_, y) in arrays.items() if p != "train"}, str(path))
    parts = {part: _part(X, y, part, path) for part, (X, y) in _in_colour(arrays).items()}
    try:
        dataset = Dataset(
            name,
            path.name,
            parts["train"],
            parts.get("test"),
            parts.get("validation"),
            class_names=contents.class_names,
        )
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    if dataset.names:
        say(f"{len(dataset.names)} classes, numbered from 0: {', '.join(dataset.names)}")
    return dataset


def _part(X: Rows, y: Array, name: str, path: Path) -> Part:
    try:
        return Part(X, y)
    except UserError as error:
        raise UserError(f"{path}, {name} part: {error}") from error


def _in_colour(arrays: Parts) -> Parts:
    """The parts, grey images with three channels if those of another part have three."""
    if {X.shape[1] for X, _ in arrays.values() if X.ndim == 4} != {1, 3}:
        return arrays
    return {part: (mapped(X, _three_channels), y) for part, (X, y) in arrays.items()}


def _three_channels(X: Array) -> Array:
    return np.broadcast_to(X, (len(X), 3, *X.shape[2:]))


def _wanted() -> str:
    return (
        "a .npz or .parquet file is wanted, or a folder of .npy, Parquet, IDX or CIFAR files, or one with a "
        "folder of PNG or JPEG pictures for each class"
    )
