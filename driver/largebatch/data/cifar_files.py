"""Files in CIFAR's binary format: records of one or two labels and 3 x 32 x 32 bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from largebatch.data.dataset import Contents, Format, Reading, UInt8Array
from largebatch.data.stored import Array
from largebatch.errors import UserError
from largebatch.terminal.say import Say

PIXELS = 3 * 32 * 32
# Files of each part, and labels of a record, of which the last one counts: CIFAR-100's first ones are coarse.
LAYOUTS: tuple[tuple[dict[str, tuple[str, ...]], int], ...] = (
    ({"train": tuple(f"data_batch_{i}.bin" for i in range(1, 6)), "test": ("test_batch.bin",)}, 1),
    ({"train": ("train.bin",), "test": ("test.bin",)}, 2),
)


def records(data: bytes, labels: int, shown: str) -> tuple[UInt8Array, UInt8Array]:
    """Images (N, 3, 32, 32) and classes (N,). Raises UserError unless the bytes are whole records."""
    length = labels + PIXELS
    if not data or len(data) % length:
        raise UserError(f"{shown} has {len(data)} bytes, which are no records of {length}: fetch it again")
    rows = np.frombuffer(data, np.uint8).reshape(-1, length)
    return rows[:, labels:].reshape(-1, 3, 32, 32), rows[:, labels - 1]


def read(path: Path, reading: Reading, say: Say) -> Contents:
    """The parts of a folder. Raises UserError for files that are missing or damaged."""
    names, labels = next(layout for layout in LAYOUTS if (path / layout[0]["train"][0]).is_file())
    return Contents({part: _part([path / name for name in files], labels) for part, files in names.items()})


def _part(files: list[Path], labels: int) -> tuple[Array, Array]:
    try:
        found = [records(file.read_bytes(), labels, str(file)) for file in files]
    except OSError as error:
        raise UserError(f"{error.filename} cannot be read: {error.strerror or error}") from error
    return np.concatenate([X for X, _ in found]), np.concatenate([y for _, y in found])


FORMAT = Format(
    "CIFAR's binary files",
    lambda path: any((path / names["train"][0]).is_file() for names, _ in LAYOUTS),
    read,
)
