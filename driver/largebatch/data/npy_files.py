"""Folders of .npy files, which are never read whole: x_train.npy and y_train.npy, or several of each.

Files of a part are x_train-0.npy, x_train-1.npy, ..., each with labels of the same ending. Names are those of
.npz files.
"""

from __future__ import annotations

import math
import os
import re
from pathlib import Path

import numpy as np

from largebatch.data.dataset import Contents, Format, Reading
from largebatch.data.npy import read_header
from largebatch.data.npz import NAMES
from largebatch.data.rows import as_classes, as_rows
from largebatch.data.stored import Array, Piece, Rows, StoredRows
from largebatch.errors import UserError
from largebatch.terminal.say import Say


def fits(path: Path) -> bool:
    """Whether this is a folder with training rows in .npy files."""
    return path.is_dir() and any(_files(path, names["train"][0]) for names in NAMES)


def read(path: Path, reading: Reading, say: Say) -> Contents:
    """The parts of a folder. Raises UserError for files without labels, damaged ones, and unlike rows."""
    names = next(names for names in NAMES if _files(path, names["train"][0]))
    known = {file for pair in names.values() for name in pair for file in _files(path, name).values()}
    others = sorted(file.name for file in path.glob("*.npy") if file not in known)
    if others:
        parts = ", ".join(f"{x}.npy" for x, _ in names.values())
        say(f"{path}: {', '.join(others)} not read; the parts' files are called {parts}, and so with labels")
    return Contents({part: _part(path, x, y, reading) for part, (x, y) in names.items() if _files(path, x)})


def _files(path: Path, name: str) -> dict[str, Path]:
    """The files of a name, by their endings."""
    found = {file: re.fullmatch(rf"{name}([-_.].+)?\.npy", file.name) for file in sorted(path.glob("*.npy"))}
    return {match[1] or "": file for file, match in found.items() if match}


def _part(path: Path, x: str, y: str, reading: Reading) -> tuple[Rows, Array]:
    rows, labels = _files(path, x), _files(path, y)
    if rows.keys() != labels.keys():
        ending = min(rows.keys() ^ labels.keys())
        raise UserError(f"{path} has one of {x}{ending}.npy and {y}{ending}.npy: both are wanted")
    pieces = {ending: _piece(file) for ending, file in rows.items()}
    kinds = {(piece.dtype, piece.shape[1:]) for piece in pieces.values()}
    if len(kinds) > 1:
        shown = " and ".join(sorted(f"{dtype} {shape}" for dtype, shape in kinds))
        raise UserError(f"{path}: the files of {x} have rows of {shown}: one type and shape is wanted")
    classes = [_classes(labels[ending], piece.shape[0]) for ending, piece in pieces.items()]
    X = as_rows(StoredRows(list(pieces.values())), reading.shape, f"{path}: {x}")
    return X, np.concatenate(classes)


def _piece(file: Path) -> Piece:
    """What a file holds; none of it is read before header and size agree."""
    with file.open("rb") as stored:
        shape, fortran, dtype = read_header(stored, str(file))
        if not shape or 0 in shape:
            raise UserError(f"{file} has no rows: its shape is {shape}")
        if dtype.hasobject:
            raise UserError(f"{file} holds Python objects, which are never read; save plain numbers")
        begin = stored.tell()
        if math.prod(shape) * dtype.itemsize != os.fstat(stored.fileno()).st_size - begin:
            raise UserError(f"{file} is damaged: its header and its size differ")
    return Piece(file, dtype, shape, begin, fortran)


def _classes(file: Path, count: int) -> Array:
    return as_classes(np.asarray(StoredRows([_piece(file)])), count, str(file))


FORMAT = Format(".npy files", fits, read, ("shape",))
