"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009): colour photographs of 32 x 32 pixels."""

from __future__ import annotations

import functools
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from largebatch.data.archives import Archive, Published
from largebatch.data.cifar_files import LAYOUTS, records
from largebatch.data.dataset import UInt8Array
from largebatch.errors import UserError
from largebatch.terminal.say import Say

_BASES = ("https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/")


def read(layout: int, files: Sequence[Path], say: Say) -> dict[str, UInt8Array]:
    """The arrays in an archive; `layout` is the number of its row in LAYOUTS."""
    names, labels = LAYOUTS[layout]
    members = _members(files[0])
    arrays = {}
    for part, of_part in names.items():
        pairs = [records(members[name], labels, f"{files[0]}: {name}") for name in of_part]
        arrays[f"{part}_images"] = np.concatenate([X for X, _ in pairs])
        arrays[f"{part}_labels"] = np.concatenate([y for _, y in pairs])
    return arrays


def _members(file: Path) -> dict[str, bytes]:
    """The archive's binary files by their names without a folder."""
    found = {}
    try:
        with tarfile.open(file, "r:gz") as archive:
            for member in archive:
                stored = archive.extractfile(member) if member.name.endswith(".bin") else None
                if stored is not None:
                    found[Path(member.name).name] = stored.read()
    except (tarfile.TarError, EOFError) as error:
        raise UserError(f"{file} is not a readable archive: {error}") from error
    return found


CIFAR10 = Published(
    name="cifar10",
    title="CIFAR-10",
    folder="cifar10",
    archives=[
        Archive(
            "cifar-10-binary.tar.gz",
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            170052171,
            _BASES,
        )
    ],
    read=functools.partial(read, 0),
    class_names=(
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ),
)
CIFAR100 = Published(
    name="cifar100",
    title="CIFAR-100",
    folder="cifar100",
    archives=[
        Archive(
            "cifar-100-binary.tar.gz",
            "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
            168513733,
            _BASES,
        )
    ],
    read=functools.partial(read, 1),
)
SOURCES = (CIFAR10.source(), CIFAR100.source())
