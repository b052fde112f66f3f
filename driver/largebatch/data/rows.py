"""Arrays as users' files have them, as the rows and classes of a data set."""

from __future__ import annotations

import numpy as np

from largebatch.data.stored import Array, Rows, ends, mapped
from largebatch.errors import UserError

CHANNELS = (1, 3)


def as_rows(X: Rows, shape: tuple[int, int, int] | None, shown: str) -> Rows:
    """X as images (N, channels, height, width) or features (N, D), of a type that data sets have.

    Images may lack the channels, or have them last. `shape` is that of images in flat rows. Whole numbers
    0..255 in images become bytes, other whole numbers floats. Raises UserError for anything else.
    """
    if X.dtype.kind not in "uif":
        raise UserError(f"{shown} holds values of type {X.dtype}; numbers are wanted")
    if not X.size:
        raise UserError(f"{shown} has no rows: its shape is {X.shape}")
    return _typed(_shaped(X, shape, shown))


def _shaped(X: Rows, shape: tuple[int, int, int] | None, shown: str) -> Rows:
    if X.ndim == 2 and shape is not None:
        if X.shape[1] != np.prod(shape):
            raise UserError(
                f"{shown} has rows of {X.shape[1]} numbers; images of --image-shape "
                f"{'x'.join(map(str, shape))} have {np.prod(shape)}"
            )
        return mapped(X, lambda flat: flat.reshape(-1, *shape))
    if shape is not None:
        raise UserError(
            f"{shown} has the shape {X.shape}; --image-shape is for flat rows (N, D): leave it out"
        )
    if X.ndim == 2:
        return X
    if X.ndim == 3:
        return mapped(X, lambda grey: grey[:, None])
    if X.ndim == 4 and X.shape[-1] in CHANNELS:
        return mapped(X, lambda images: images.transpose(0, 3, 1, 2))
    if X.ndim == 4 and X.shape[1] in CHANNELS:
        return X
    raise UserError(
        f"{shown} has the shape {X.shape}; images are (N, height, width), with 1 or 3 channels first or "
        "last, features (N, D)"
    )


def _typed(X: Rows) -> Rows:
    kind = _kind(X)
    return mapped(X, lambda rows: np.ascontiguousarray(rows, kind))


def _kind(X: Rows) -> type[np.generic]:
    if X.dtype.kind == "f":
        return np.float64 if X.dtype.itemsize == 8 else np.float32
    if X.dtype == np.uint8:
        return np.uint8
    low, high = ends(X) if X.ndim == 4 else (-1, -1)
    return np.uint8 if low >= 0 and high <= 255 else np.float64


def as_classes(y: Array, count: int, shown: str) -> Array:
    """y as whole numbers, of shape (N,). Raises UserError if they are not one for each of `count` rows."""
    flat = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if flat.shape != (count,):
        one_hot = ": y.argmax(axis=1) makes them of one-hot rows" if y.ndim == 2 and len(y) == count else ""
        raise UserError(
            f"{shown} has the shape {y.shape}; one label for each of {count} rows is wanted{one_hot}"
        )
    if flat.dtype.kind not in "uif" or not np.isfinite(flat).all() or (flat != np.floor(flat)).any():
        raise UserError(f"{shown} holds labels that are not whole numbers: number the classes from 0")
    return flat.astype(np.int64)


def check_classes(train: Array, others: dict[str, Array], shown: str) -> None:
    """Raises UserError unless the training labels are 0..C-1, at least two, and the others among them."""
    found = np.unique(train)
    if len(found) == 1:
        raise UserError(f"{shown} has one class only, {found[0]}: there is nothing to tell apart")
    C = len(found)
    if not np.array_equal(found, np.arange(C)):
        mend = "subtract 1" if np.array_equal(found, np.arange(1, C + 1)) else "number them so"
        raise UserError(
            f"{shown} has {C} labels from {found[0]} to {found[-1]}; they must be 0 to {C - 1}: {mend}"
        )
    for part, y in others.items():
        unknown = np.setdiff1d(y, found)
        if len(unknown):
            raise UserError(f"{shown}: the class {unknown[0]} of the {part} part has no training row")
