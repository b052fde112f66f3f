"""Images that a user brings for prediction: IDX, .npy and PNG files, or a folder of PNG files.

As in MNIST, larger values are taken for ink: light digits on a dark ground.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from largebatch.data.dataset import UInt8Array
from largebatch.data.idx import MAX_BYTES, read_idx
from largebatch.errors import UserError


def read_images(path: Path, height: int, width: int) -> tuple[list[str], UInt8Array]:
    """Names of the images and their pixels, uint8 of shape (N, height, width).

    Accepts an IDX file (.gz or raw), a .npy file of integers 0..255 with shape (N, height, width),
    (height, width) or (N, height * width), a PNG file, or a folder of PNG files (sorted by name).
    Raises UserError for anything else, and for images of another size.
    """
    try:
        if path.is_dir():
            return _read_folder(path, height, width)
        if not path.is_file():
            raise UserError(f"{path} is neither a file nor a folder")
        if path.suffix.lower() == ".png":
            return [path.name], _read_png(path, height, width)[None]
        npy = path.suffix.lower() == ".npy"
        images = (_read_npy if npy else _read_idx_images)(path, height, width)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
    return [f"{path.name}[{i}]" for i in range(len(images))], images


def _read_idx_images(path: Path, height: int, width: int) -> UInt8Array:
    images = read_idx(path)
    if images.ndim != 3 or images.shape[1:] != (height, width):
        raise _wrong_shape(path, images.shape, height, width)
    return images


def _read_npy(path: Path, height: int, width: int) -> UInt8Array:
    """Images (N, height, width); nothing is loaded before the header agrees with the file's size."""
    with path.open("rb") as file:
        shape, fortran, dtype = _npy_header(file, path)
        if dtype.kind not in "ui":
            raise UserError(f"{path} holds values of type {dtype}; whole numbers 0..255 (uint8) are wanted")
        if len(shape) not in (2, 3) or min(shape) < 1 or not _fits(shape, height, width):
            raise _wrong_shape(path, shape, height, width)
        found = os.fstat(file.fileno()).st_size - file.tell()
        announced = math.prod(shape) * dtype.itemsize
        if announced != found:
            raise UserError(
                f"{path} is damaged: its header announces {announced} bytes of values, {found} follow"
            )
        if announced > MAX_BYTES:
            raise UserError(
                f"{path} is too large: {announced} bytes, more than the {MAX_BYTES} that are read"
            )
        values = np.fromfile(file, dtype, math.prod(shape)).reshape(shape, order="F" if fortran else "C")
    if values.min() < 0 or values.max() > 255:
        raise UserError(f"{path} holds values {values.min()}..{values.max()}; pixels are 0..255")
    return np.ascontiguousarray(values, np.uint8).reshape(-1, height, width)


def _npy_header(file: IO[bytes], path: Path) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    """Shape, whether in Fortran order, and type of a .npy file; the file then stands at the values."""
    try:
        # Later versions, with headers of up to 4 GiB, are for structured types alone.
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError("its version is not 1.0")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        if any(size >= 2**63 for size in shape):
            raise ValueError("its header announces more values than there can be")
        return shape, fortran, dtype
    except Exception as error:  # NumPy's parser lets many types out for a damaged header
        raise UserError(f"{path} is not a .npy file of plain numbers: {_first_line(error)}") from error


def _fits(shape: tuple[int, ...], height: int, width: int) -> bool:
    return shape[-2:] == (height, width) or (len(shape) == 2 and shape[1] == height * width)


def _read_folder(folder: Path, height: int, width: int) -> tuple[list[str], UInt8Array]:
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() == ".png" and p.is_file())
    if not paths:
        raise UserError(f"{folder} holds no PNG files")
    return [p.name for p in paths], np.stack([_read_png(p, height, width) for p in paths])


def _read_png(path: Path, height: int, width: int) -> UInt8Array:
    """Grey values (height, width); the size is checked before any pixel is decoded."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            if image.size == (width, height):
                return _grey(image, path)
            size = image.size
    except UserError:
        raise
    except Exception as error:  # Pillow lets many types out for a damaged file
        raise UserError(f"{path} is not a readable PNG file: {_first_line(error)}") from error
    raise UserError(
        f"{path} is {size[0]} pixels wide and {size[1]} high; {width} wide and {height} high is wanted"
    )


def _grey(image: Image.Image, path: Path) -> UInt8Array:
    if image.mode.startswith("I"):
        raise UserError(f"{path} has 16 bits per pixel; save it with 8")
    # What lies beneath transparent pixels is no image: dropping the alpha channel would show it.
    if image.has_transparency_data and np.asarray(image.convert("RGBA"))[..., 3].min() < 255:
        raise UserError(f"{path} has transparent pixels; save it with an opaque ground")
    return np.array(image.convert("L"), np.uint8)


def _wrong_shape(path: Path, shape: tuple[int, ...], height: int, width: int) -> UserError:
    return UserError(f"{path} has the shape {shape}; images of {height} x {width} pixels are wanted")


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
