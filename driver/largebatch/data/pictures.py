"""Images that a user brings for prediction: IDX, .npy and PNG files, or a folder of PNG files.

As in MNIST, larger values are taken for ink: light digits on a dark ground.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import IO, Literal

import numpy as np
from PIL import Image

from largebatch.data.dataset import Array, Images, UInt8Array
from largebatch.data.idx import MAX_BYTES, read_idx
from largebatch.data.look import Look
from largebatch.data.npy import read_header
from largebatch.data.unlike import NONE, Adjustment, adjusted
from largebatch.errors import UserError

Order = Literal["CHW", "HWC"]  # of the axes of an image
MODES: dict[int, Literal["L", "RGB"]] = {1: "L", 3: "RGB"}  # of Pillow, by channels


def read_images(
    path: Path, size: Images, wanted: Adjustment = NONE, trained: Look | None = None
) -> tuple[list[str], Array]:
    """Names of the images and their pixels, of shape (N, channels, height, width), adjusted as `wanted`.

    Models of bytes take whole numbers 0..255, returned as uint8: an IDX file (.gz or raw) of grey images, a
    .npy file, a PNG file, or a folder of PNG files (sorted by name). Models of floats take a .npy file alone,
    returned as float64. A .npy file has the shape (N, channels, height, width),
    (N, height, width, channels) or (N, channels * height * width). A single image may lack N, grey images may
    lack the channels. With a scale, a .npy file for a model of bytes may hold floats. `trained` is what the
    training images looked like. Raises UserError for anything else, and for images of another size.
    """
    names, images = _read(path, size, floats=not size.in_bytes or wanted.scale is not None)
    if wanted == NONE:
        return names, images
    return names, adjusted(images, wanted, size, trained, str(path))


def _read(path: Path, size: Images, *, floats: bool) -> tuple[list[str], Array]:
    try:
        suffix = path.suffix.lower()
        if not size.in_bytes and suffix != ".npy":
            raise UserError(f"the model was trained on floats: {path} must be a .npy file of such numbers")
        if path.is_dir():
            return _read_folder(path, size)
        if not path.is_file():
            raise UserError(f"{path} is neither a file nor a folder")
        if suffix == ".png":
            return [path.name], _read_png(path, size)[None]
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
        raise UserError(f"{path} holds values {values.min()}..{values.max()}; pixels are 0..255")
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
    if dtype.kind not in ("uif" if kind.kind == "f" else "ui"):
        wanted = "numbers" if kind.kind == "f" else "whole numbers 0..255 (uint8)"
        mend = ": if they are 0..1, --scale 255 takes them there" if dtype.kind == "f" else ""
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


# ---- PNG ----


def _read_folder(folder: Path, size: Images) -> tuple[list[str], UInt8Array]:
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() == ".png" and p.is_file())
    if not paths:
        raise UserError(f"{folder} holds no PNG files")
    return [p.name for p in paths], np.stack([_read_png(p, size) for p in paths])


def _read_png(path: Path, size: Images) -> UInt8Array:
    """Pixels (channels, height, width); the size is checked before any pixel is decoded."""
    if size.channels not in MODES:
        raise UserError(f"{path} cannot be an image of {size.channels} channels: give a .npy file instead")
    try:
        with Image.open(path, formats=["PNG"]) as image:
            if image.size == (size.width, size.height):
                return _pixels(image, path, MODES[size.channels])
            width, height = image.size
    except UserError:
        raise
    except Exception as error:  # Pillow lets many types out for a damaged file
        raise UserError(f"{path} is not a readable PNG file: {_first_line(error)}") from error
    raise UserError(
        f"{path} is {width} pixels wide and {height} high; {size.width} wide and {size.height} high is wanted"
    )


def _pixels(image: Image.Image, path: Path, mode: Literal["L", "RGB"]) -> UInt8Array:
    if image.mode.startswith("I"):
        raise UserError(f"{path} has 16 bits per pixel; save it with 8")
    # What lies beneath transparent pixels is no image: dropping the alpha channel would show it.
    if image.has_transparency_data and np.asarray(image.convert("RGBA"))[..., 3].min() < 255:
        raise UserError(f"{path} has transparent pixels; save it with an opaque ground")
    pixels = np.array(image.convert(mode), np.uint8)
    return pixels[None] if mode == "L" else pixels.transpose(2, 0, 1)


# ---- what is said ----


def _wrong_shape(path: Path, shape: tuple[int, ...], size: Images) -> UserError:
    channels = f"{size.channels} channels of " if size.channels > 1 else ""
    return UserError(
        f"{path} has the shape {shape}; images of {channels}{size.height} x {size.width} pixels are wanted"
    )


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
