"""IDX files, MNIST's format: two zero bytes, type, number of dimensions, big-endian sizes, values."""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, cast

import numpy as np

from largebatch.data.cache import write_cached
from largebatch.data.dataset import UInt8Array
from largebatch.data.formats import GZIP, MOST_NEEDED, what_it_is
from largebatch.errors import UserError

UNSIGNED_BYTE = 0x08
MAX_DIMENSIONS = 3
MAX_BYTES = 2**31  # of one array; EMNIST, the largest set of this format, has 0.64e9
_DEFLATE_RATIO = 1032  # deflate can't shrink further: 258 bytes to two bits
_CHUNK = 1 << 20
CheckShape = Callable[[tuple[int, ...]], None]


def any_shape(shape: tuple[int, ...]) -> None:
    """Accepts arrays of all shapes."""


def read_idx(path: Path, check_shape: CheckShape = any_shape) -> UInt8Array:
    """Array of one to three dimensions from an IDX file of unsigned bytes, gzipped or not.

    check_shape(shape) raises UserError for a shape that is not wanted, before any value is read. Raises
    UserError for anything but a complete, well-formed file.
    """
    try:
        if path.is_dir():
            raise UserError(f"{path} is a folder where an IDX file is expected")
        if not path.is_file():
            raise UserError(f"{path} is not a file; an IDX file is expected there")
        with path.open("rb") as file:
            return decode_idx(file, os.fstat(file.fileno()).st_size, str(path), check_shape)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error


def decode_idx(stored: IO[bytes], size: int, shown: str, check_shape: CheckShape = any_shape) -> UInt8Array:
    """The array in `stored`, a stream of `size` bytes that can be rewound; errors call it `shown`.

    Whether it is gzipped is seen by its first bytes. Memory stays bounded by what the header announces and by
    what `size` bytes can hold.
    """
    compressed = stored.read(len(GZIP)) == GZIP
    stored.seek(0)
    stream = cast(IO[bytes], gzip.GzipFile(fileobj=stored, mode="rb")) if compressed else stored
    limit = size * _DEFLATE_RATIO if compressed else size
    try:
        shape = _read_header(stream, shown)
        check_shape(shape)
        return _read_values(stream, shape, limit, shown)
    except EOFError as error:
        raise UserError(f"{shown} is truncated: its gzip stream ends early; fetch it again") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise UserError(f"{shown} is not a valid gzip file ({error}): fetch it again") from error


def _read_header(stream: IO[bytes], shown: str) -> tuple[int, ...]:
    """Shape announced by the header; the stream then stands at the first value."""
    start = stream.read(4)
    if len(start) < 4:
        raise UserError(f"{shown} is truncated: it is too short for an IDX header")
    if start[:2] != b"\0\0":
        raise UserError(f"{shown} is not an IDX file{what_it_is(start + stream.read(MOST_NEEDED))}")
    if start[2] != UNSIGNED_BYTE:
        raise UserError(
            f"{shown} holds values of IDX type 0x{start[2]:02x}; only unsigned bytes (0x08) are read"
        )
    if not 1 <= start[3] <= MAX_DIMENSIONS:
        raise UserError(f"{shown} announces {start[3]} dimensions; one to {MAX_DIMENSIONS} are read")
    sizes = stream.read(4 * start[3])
    if len(sizes) < 4 * start[3]:
        raise UserError(f"{shown} is truncated: it ends within the IDX header")
    shape = struct.unpack(f">{start[3]}I", sizes)
    if 0 in shape:
        raise UserError(f"{shown} is empty: its header announces the shape {times(shape)}")
    return shape


def _read_values(stream: IO[bytes], shape: tuple[int, ...], limit: int, shown: str) -> UInt8Array:
    """Exactly the announced values; `limit` is the most bytes that the file can hold."""
    count = math.prod(shape)
    announced = f"its header announces {times(shape)} bytes"
    if count > limit:
        raise UserError(f"{shown} is truncated: {announced}, more than a file of its size can hold")
    if count > MAX_BYTES:
        raise UserError(f"{shown} is too large: {announced}, more than the {MAX_BYTES} that are read")
    values, there = _room(count, shown), 0
    while got := stream.readinto(values[there : there + _CHUNK]):  # type: ignore[attr-defined]
        there += got
    if there < count:
        raise UserError(f"{shown} is truncated: {announced}, only {there} follow")
    if stream.read(1):
        raise UserError(f"{shown} has trailing bytes: {announced}, more follow")
    return values.reshape(shape)


def _room(count: int, shown: str) -> UInt8Array:
    """Memory for so many values, which is not touched before they come."""
    try:
        return np.empty(count, np.uint8)
    except MemoryError:
        raise UserError(f"{shown} needs {count} bytes of memory, more than this process can have") from None


def idx_header(shape: tuple[int, ...]) -> bytes:
    """The header of an IDX file of unsigned bytes of this shape."""
    return struct.pack(f">4B{len(shape)}I", 0, 0, UNSIGNED_BYTE, len(shape), *shape)


def write_idx(path: Path, array: UInt8Array) -> None:
    """Write a uint8 array of one to three dimensions, gzipped if the path ends in .gz.

    Equal arrays give equal bytes. Raises UserError for arrays that `read_idx` would refuse.
    """
    if array.dtype != np.uint8 or not 1 <= array.ndim <= MAX_DIMENSIONS or array.size == 0:
        raise UserError(
            f"{path} cannot hold an array of type {array.dtype} and shape {array.shape}; IDX files here are "
            f"uint8 with one to {MAX_DIMENSIONS} dimensions, none of them zero"
        )
    data = idx_header(array.shape) + array.tobytes()
    write_cached(path, gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def times(shape: tuple[int, ...]) -> str:
    """A shape as messages show it, such as 60000 x 28 x 28."""
    return " x ".join(map(str, shape))
