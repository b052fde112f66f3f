"""Pictures in PNG and JPEG files as arrays, checked before any pixel is decoded."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from largebatch.data.dataset import Reading, UInt8Array
from largebatch.data.idx import MAX_BYTES
from largebatch.errors import UserError

SUFFIXES = (".png", ".jpg", ".jpeg")
STARTS = (b"\x89PNG", b"\xff\xd8\xff")  # first bytes
MAX_PIXELS = 2**26  # of one picture
_GREY = ("1", "L", "LA")


def decode(
    source: Path | IO[bytes], shown: str, reading: Reading, size: tuple[int, int] | None = None
) -> UInt8Array:
    """A picture's pixels, of shape (channels, height, width): one channel if it is grey, else three.

    It is turned as its EXIF data say, then resized. Raises UserError, which calls it `shown`, for anything
    but a whole PNG or JPEG picture of 8 bits without transparent pixels; and, before any pixel is decoded,
    for another height and width than `size`.
    """
    too_large = f"{shown} has more than the {MAX_PIXELS} pixels that are read"
    try:
        with Image.open(source, formats=["PNG", "JPEG"]) as image:
            if size not in (None, image.size, image.size[::-1]):  # it may lie on its side
                raise _of_another_size(image, shown, size)
            if image.size[0] * image.size[1] > MAX_PIXELS:
                raise UserError(too_large)
            upright = ImageOps.exif_transpose(image)
            if size not in (None, upright.size[::-1]):
                raise _of_another_size(upright, shown, size)
            return pixels(upright, shown, reading)
    except UserError:
        raise
    except Image.DecompressionBombError as error:
        raise UserError(too_large) from error
    except Exception as error:  # Pillow lets many types out for a damaged file
        known = isinstance(error, UnidentifiedImageError)  # whose text has the address of an object
        reason = "it is of another kind" if known else (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(f"{shown} is not a readable PNG or JPEG file: {reason}") from error


def _of_another_size(image: Image.Image, shown: str, size: tuple[int, int]) -> UserError:
    width, height = image.size
    return UserError(
        f"{shown} is {width} pixels wide and {height} high; {size[1]} wide and {size[0]} high is wanted"
    )


def pixels(image: Image.Image, shown: str, reading: Reading) -> UInt8Array:
    """The same of an open picture."""
    if image.mode.startswith("I"):
        raise UserError(f"{shown} has 16 bits per pixel; save it with 8")
    # What lies beneath transparent pixels is no image: dropping the alpha channel would show it.
    if image.has_transparency_data and np.asarray(image.convert("RGBA"))[..., 3].min() < 255:
        raise UserError(f"{shown} has transparent pixels; save it with an opaque ground")
    plain = image.convert("L" if reading.grey or image.mode in _GREY else "RGB")
    if reading.resize is not None:
        plain = plain.resize(reading.resize[::-1], Image.Resampling.BILINEAR, reducing_gap=3.0)
    found = np.array(plain, np.uint8)
    return found[None] if found.ndim == 2 else found.transpose(2, 0, 1)


def stack(pictures: Iterable[tuple[str, UInt8Array]], where: str) -> UInt8Array:
    """Named pictures as (N, channels, height, width): three channels if any of them has three.

    Raises UserError if their sizes differ, or if they are more than can be read.
    """
    found: list[UInt8Array] = []
    first, size = "", 0
    for name, picture in pictures:
        if found and picture.shape[1:] != found[0].shape[1:]:
            raise UserError(
                f"{name} has {_size(picture)} pixels but {first} {_size(found[0])}: "
                "--resize gives all pictures one size"
            )
        first = first or name
        found.append(picture)
        size += picture.size
        if size > MAX_BYTES:
            raise UserError(f"{where} has more than the {MAX_BYTES} bytes of pixels that are read: --resize")
    channels = max(picture.shape[0] for picture in found)
    return np.stack([np.broadcast_to(picture, (channels, *picture.shape[1:])) for picture in found])


def _size(picture: UInt8Array) -> str:
    return f"{picture.shape[1]} x {picture.shape[2]}"
