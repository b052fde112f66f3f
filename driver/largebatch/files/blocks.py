"""Matrices in SystemDS' binary format, written piece by piece, without a JVM and never whole in memory.

A matrix is a Hadoop SequenceFile of blocks, and a description beside it. A block holds up to 1000 rows and
1000 columns as doubles. Blocks of a row stand in the order of their columns: SystemDS 3.4.0 may glue them
together as they come.
"""

from __future__ import annotations

import json
import secrets
import struct
from collections.abc import Iterable, Iterator
from io import BufferedWriter
from pathlib import Path

import numpy as np

from largebatch.files.matrices import Matrix

SIDE = 1000  # rows and columns of a block
_CLASSES = tuple(f"org.apache.sysds.runtime.matrix.data.{name}" for name in ("MatrixIndexes", "MatrixBlock"))
_DENSE = 3  # kind of a block
_KEY = struct.Struct(">qq")  # numbers of a block's row and column, from 1
_BLOCK = struct.Struct(">iib")  # rows, columns, kind
_RECORD = struct.Struct(">ii")  # bytes of key and block, bytes of the key
_SYNC = struct.pack(">i", -1)  # a mark follows at which a reader of a part of the file may begin


def write_blocks(path: Path, shape: tuple[int, int], pieces: Iterable[Matrix]) -> None:
    """Write a matrix from pieces: SIDE of its rows each, in order.

    The last one may be shorter. Raises OSError.
    """
    nonzero = 0
    with path.open("wb") as file:
        mark = secrets.token_bytes(16)
        file.write(_header(mark))
        for number, piece in enumerate(pieces, start=1):
            nonzero += int(np.count_nonzero(piece))
            for column, block in _blocks(piece):
                _write_block(file, mark, (number, column), block)
    description = {
        "data_type": "matrix", "value_type": "double", "rows": shape[0], "cols": shape[1],
        "rows_in_block": SIDE, "cols_in_block": SIDE, "nnz": nonzero, "format": "binary",
    }  # fmt: skip
    path.with_name(f"{path.name}.mtd").write_text(json.dumps(description))


def _header(mark: bytes) -> bytes:
    """Version 6; names of the classes; neither records nor blocks of them are compressed; no metadata."""
    names = b"".join(bytes([len(name)]) + name.encode() for name in _CLASSES)
    return b"SEQ\x06" + names + b"\0\0" + struct.pack(">i", 0) + mark


def _blocks(piece: Matrix) -> Iterator[tuple[int, Matrix]]:
    for number, first in enumerate(range(0, piece.shape[1], SIDE), start=1):
        yield number, piece[:, first : first + SIDE]


def _write_block(file: BufferedWriter, mark: bytes, place: tuple[int, int], block: Matrix) -> None:
    numbers = np.ascontiguousarray(block, ">f8")
    head = _KEY.pack(*place) + _BLOCK.pack(*block.shape, _DENSE)
    file.write(_SYNC + mark + _RECORD.pack(len(head) + numbers.nbytes, _KEY.size) + head)
    file.write(numbers.data)
