"""Folders of pictures, one for each class: train/CLASS/*.png, and test/CLASS/*.png for a test part."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from largebatch.data.dataset import Contents, Format, Reading, UInt8Array
from largebatch.data.decode import SUFFIXES, decode, stack
from largebatch.data.stored import Array, Rows
from largebatch.errors import UserError
from largebatch.terminal.say import Say

PARTS = {
    "train": "train",
    "test": "test",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
}


def read(path: Path, reading: Reading, say: Say) -> Contents:
    """The parts of a folder, or its classes as the training part. Raises UserError for unusable pictures."""
    folders = {part: path / name for name, part in PARTS.items() if (path / name).is_dir()}
    if "train" not in folders:
        folders = {"train": path}
    names = [folder.name for folder in _classes(folders["train"])]
    parts = {part: _part(folder, names, reading) for part, folder in folders.items()}
    return Contents(parts, tuple(names))


def _part(folder: Path, names: list[str], reading: Reading) -> tuple[Rows, Array]:
    of_class: list[int] = []  # how many

    def pictures() -> Iterator[tuple[str, UInt8Array]]:
        for files in map(_pictures, folders):
            of_class.append(len(files))
            yield from ((str(file), decode(file, str(file), reading)) for file in files)

    folders = _classes(folder)
    unknown = [found for found in folders if found.name not in names]
    if unknown:
        raise UserError(f"{unknown[0]} is a class without training pictures")
    X = stack(pictures())
    return X, np.repeat([names.index(found.name) for found in folders], of_class)


def _classes(folder: Path) -> list[Path]:
    found = sorted(path for path in _shown(folder) if path.is_dir())
    if not found:
        raise UserError(f"{folder} has no folders: one for each class is wanted, with its pictures")
    return found


def _shown(folder: Path) -> Iterator[Path]:
    """What lies in a folder, without hidden files, such as those that macOS puts beside pictures."""
    return (path for path in folder.iterdir() if not path.name.startswith("."))


def _pictures(folder: Path) -> list[Path]:
    found = sorted(path for path in _shown(folder) if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise UserError(f"{folder} holds no PNG or JPEG files")
    return found


FORMAT = Format("folders of classes", Path.is_dir, read, ("resize", "grey"))
