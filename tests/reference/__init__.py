"""NumPy twins of the DML: the same mathematics, written a second time from the papers.

Nothing here reads or imports the DML, and the DML is never the source of a formula here.

All parameters of a network are one float64 vector w of shape (P,): its arrays one after the other, each
flattened row by row. A network module names its arrays by `shapes`: one (rows, cols, layer) per array, with
layers counted from 1. Classes are counted from 1, as in DML.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Image = tuple[int, int, int]  # C, H, W
Shapes = list[tuple[int, int, int]]  # rows, cols, layer


def parameter_count(shapes: Shapes) -> int:
    """P, the length of w."""
    return sum(rows * cols for rows, cols, _ in shapes)


def unstack(w: Floats, shapes: Shapes) -> list[Floats]:
    """The arrays of w (P,), each (rows, cols)."""
    ends = np.cumsum([rows * cols for rows, cols, _ in shapes])
    parts = np.split(w, ends[:-1])
    return [part.reshape(rows, cols) for part, (rows, cols, _) in zip(parts, shapes, strict=True)]


def stack(arrays: list[Floats]) -> Floats:
    """The inverse of `unstack`: (P,)."""
    return np.concatenate([array.ravel() for array in arrays])
