"""Rows of a DataFrame as numbers, on executors. They get this file by value: they need no `largebatch`.

A batch of features comes as a pandas Series of bytes, or of arrays of numbers, and leaves as a matrix.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Array = npt.NDArray[Any]

CHUNK = 2**22  # bytes of features in a cell on the way to the driver
LABELS = "<u2"
KINDS = ("uint8", "float32", "float64")  # of numbers on that way, the least one that has them exactly


def matrix(values: Any, width: int) -> Array:
    """Features as rows, of shape (N, width): uint8 for bytes, else float64. Raises ValueError for others."""
    found = list(values)
    if any(value is None for value in found):
        raise ValueError("a row has null features, or an image of another size: mend it")
    for value in found:
        if len(value) != width:
            raise ValueError(f"a row has {len(value)} features, {width} are wanted")
    if not found or isinstance(found[0], bytes | bytearray | memoryview):
        return np.frombuffer(b"".join(found), np.uint8).reshape(-1, width)
    return np.concatenate(found).astype(np.float64).reshape(-1, width)


def channels_first(X: Array, image: tuple[int, int, int], order: str) -> Array:
    """Rows of pixels (N, C*H*W), channel by channel; `order` is that of the rows: chw, hwc or bgr."""
    if order == "chw":
        return X
    C, H, W = image
    pixels = X.reshape(-1, H, W, C)
    if order == "bgr":
        pixels = pixels[..., ::-1]
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)).reshape(len(X), -1)


def least_kind(X: Array) -> str:
    """The least of KINDS that has all numbers exactly."""
    if X.dtype == np.uint8 or bool(((X >= 0) & (X <= 255) & (np.floor(X) == X)).all()):
        return "uint8"
    with np.errstate(over="ignore"):
        return "float32" if (X.astype(np.float32) == X).all() else "float64"


def pack(
    frames: Iterator[pd.DataFrame],
    width: int,
    image: tuple[int, int, int],
    order: str,
    folder: str | None = None,
) -> Iterator[pd.DataFrame]:
    """Rows in few large cells. `frames` have the columns features, label and validation.

    The cells are kind, features, file, labels (LABELS), validation (uint8), and bad: how many rows have
    features that are not finite. With a `folder` the features go one after the other to a new file there,
    and the cells have its name instead.
    """
    cells = _cells(frames, width, image, order)
    for cell in cells if folder is None else _filed(cells, folder):
        yield pd.DataFrame({name: [value] for name, value in cell.items()})


def _filed(cells: Iterator[dict[str, Any]], folder: str) -> Iterator[dict[str, Any]]:
    with (Path(folder) / uuid.uuid4().hex).open("xb") as file:
        for cell in cells:
            file.write(cell["features"])
            yield cell | {"features": b"", "file": file.name}


def _cells(
    frames: Iterator[pd.DataFrame], width: int, image: tuple[int, int, int], order: str
) -> Iterator[dict[str, Any]]:
    rows = max(1, CHUNK // (8 * width))
    for frame in frames:
        for first in range(0, len(frame), rows):
            some = frame.iloc[first : first + rows]
            X = channels_first(matrix(some["features"], width), image, order)
            bad = int((~np.isfinite(X).all(axis=1)).sum())
            kind = least_kind(X)
            yield {
                "kind": kind,
                "features": X.astype(kind).tobytes(),
                "file": "",
                "labels": some["label"].to_numpy().astype(LABELS).tobytes(),
                "validation": some["validation"].to_numpy().astype(np.uint8).tobytes(),
                "bad": bad,
            }
