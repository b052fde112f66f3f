"""Images that a user brings for prediction: IDX, .npy, PNG and JPEG files, or a folder of pictures.

As in MNIST, larger values are taken for ink: light digits on a dark ground.
"""

from __future__ import annotations

import dataclasses
import math
import os
from pathlib import Path
from typing import IO, Literal

import numpy as np

from largebatch.data.dataset import Images, Reading, UInt8Array
from largebatch.data.decode import SUFFIXES, decode
from largebatch.data.idx import MAX_BYTES, read_idx
from largebatch.data.look import Look
from largebatch.data.npy import read_header
from largebatch.data.rows import CHANNELS
from largebatch.data.stored import Array
from largebatch.data.unlike import NONE, Adjustment, adjusted
from largebatch.errors import UserError
from largebatch.files.names import why_no_folder

AS_IT_IS = Reading()
Order = Literal["CHW", "HWC"]  # of the axes of an image


def read_images(
    path: Path,
    size: Images,
    wanted: Adjustment = NONE,
    trained: Look | None = None,
    reading: Reading = AS_IT_IS,
) -> tuple[list[str], Array]:
    """Names of the images and their pixels, of shape (N, channels, height, width), adjusted as `wanted`.

    Models of bytes take whole numbers 0..255, returned as uint8: an IDX file (.gz or raw) of grey images, a
    .npy file, a PNG or JPEG file, or a folder of them (sorted by name), which get the size that `reading`
    tells. Models of floats take a .npy file alone, returned as float64. A .npy file has the shape
    (N, channels, height, width), (N, height, width, channels) or (N, channels * height * width). A single
    image may lack N, grey images may lack the channels. With a scale, a .npy file for a model of bytes may
    hold floats. `trained` is what the training images looked like. Raises UserError for anything else, and
    for images of another size.
    """
    names, images = _read(path, size, reading, floats=not size.in_bytes or wanted.scale is not None)
    if wanted == NONE:
        return names, images
    return names, adjusted(images, wanted, size, trained, str(path))


def _read(path: Path, size: Images, reading: Reading, *, floats: bool) -> tuple[list[str], Array]:
    try:
        suffix = path.suffix.lower()
        if not size.in_bytes and suffix != ".npy":
            raise UserError(f"the model was trained on floats: {path} must be a .npy file of such numbers")
        if path.is_dir():
            return _read_folder(path, size, reading)
        if not path.is_file():
            raise UserError(f"{path} is neither a file nor a folder: {why_no_folder(str(path))}")
        if suffix in SUFFIXES:
            return [path.name], _read_picture(path, size, reading)[None]
        images = _read_npy(path, size, floats) if suffix == ".npy" else _read_idx_images(path, size)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
    return [f"{path.name}[{i}]" for i in range(len(images))], images


# ---- IDX, .npy ----


def _read_idx_images(path: Path, size: Images) -> UInt8Array:
    def check_shape(shape: tuple[int, ...]) -> None:
        if len(shape) != 3 or size.channels != 1 or shape[1:] != (size.height, size.width):
            raise _wrong_shape(path, shape, size)

    return read_idx(path, check_shape)[:, None]


def _read_npy(path: Path, size: Images, floats: bool) -> Array:
    kind = np.dtype(np.float64 if floats else np.uint8)
    with path.open("rb") as file:
        values, order = _npy_values(file, path, size, kind)
    if floats:
        if not np.isfinite(values).all():
            raise UserError(f"{path} holds values that are not finite")
    elif values.min() < 0 or values.max() > 255:
        mend = ": if they have 16 bits, --scale 0.00389 takes them there" if values.min() >= 0 else ""
        raise UserError(f"{path} holds values {values.min()}..{values.max()}; pixels are 0..255{mend}")
    sides = {"C": size.channels, "H": size.height, "W": size.width}
    images = values.reshape(-1, *(sides[axis] for axis in order))
    if order == "HWC":
        images = images.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(images, kind)


def _npy_values(file: IO[bytes], path: Path, size: Images, kind: np.dtype[np.generic]) -> tuple[Array, Order]:
    """The array, which is to become one of this kind, and the order of its axes.

    Nothing is loaded before header and file size agree.
    """
    shape, fortran, dtype = read_header(file, str(path))
    if dtype.kind not in ("buif" if kind.kind == "f" else "ui"):
        wanted = "numbers" if kind.kind == "f" else "whole numbers 0..255 (uint8)"
        mend = (
            ": if they are 0..1, --scale 255 takes them there; if they are 0..255, --scale 1"
            if dtype.kind in "bf"
            else ""
        )
        raise UserError(f"{path} holds values of type {dtype}; {wanted} are wanted{mend}")
    order = _order(shape, size)
    if order is None:
        raise _wrong_shape(path, shape, size)
    found = os.fstat(file.fileno()).st_size - file.tell()
    announced = math.prod(shape) * dtype.itemsize
    if announced != found:
        raise UserError(
            f"{path} is damaged: its header announces {announced} bytes of values, {found} follow"
        )
    if (needed := math.prod(shape) * max(dtype.itemsize, kind.itemsize)) > MAX_BYTES:
        raise UserError(f"{path} is too large: {needed} bytes, more than the {MAX_BYTES} that are read")
    values = np.fromfile(file, dtype, math.prod(shape)).reshape(shape, order="F" if fortran else "C")
    return values, order


def _order(shape: tuple[int, ...], size: Images) -> Order | None:
    """Where the channels are in an array of images of this shape, first if either fits; None for others."""
    C, H, W = size.channels, size.height, size.width
    if not shape or min(shape) < 1:
        return None
    flat = len(shape) == 2 and shape[1] == C * H * W
    grey = C == 1 and len(shape) in (2, 3) and shape[-2:] == (H, W)
    if flat or grey:
        return "CHW"
    if len(shape) in (3, 4):
        if shape[-3:] == (C, H, W):
            return "CHW"
        if shape[-3:] == (H, W, C):
            return "HWC"
    return None


# ---- PNG, JPEG ----


def _read_folder(folder: Path, size: Images, reading: Reading) -> tuple[list[str], UInt8Array]:
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())
    if not paths:
        raise UserError(f"{folder} holds no PNG or JPEG files")
    if (needed := len(paths) * size.channels * size.height * size.width) > MAX_BYTES:
        raise UserError(
            f"{folder} holds too many images: {needed} bytes of pixels, more than the {MAX_BYTES} that are "
            "read"
        )
    return [p.name for p in paths], np.stack([_read_picture(p, size, reading) for p in paths])


def _read_picture(path: Path, size: Images, reading: Reading) -> UInt8Array:
    """Pixels (channels, height, width), read as the training pictures were."""
    if size.channels not in CHANNELS:
        raise UserError(f"{path} cannot be an image of {size.channels} channels: give a .npy file instead")
    wanted = None if reading.resize else (size.height, size.width)
    reading = dataclasses.replace(reading, grey=size.channels == 1)
    pixels = decode(path, str(path), reading, wanted)
    return np.broadcast_to(pixels, (size.channels, *pixels.shape[1:]))


# ---- what is said ----


def _wrong_shape(path: Path, shape: tuple[int, ...], size: Images) -> UserError:
    channels = f"{size.channels} channels of " if size.channels > 1 else ""
    return UserError(
        f"{path} has the shape {shape}; images of {channels}{size.height} x {size.width} pixels are wanted"
    )
