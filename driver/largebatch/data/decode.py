"""Pictures in PNG and JPEG files as arrays, checked before any pixel is decoded."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from largebatch.data.dataset import Reading, UInt8Array
from largebatch.data.spool import Spool
from largebatch.data.stored import Rows
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


def stack(pictures: Iterable[tuple[str, UInt8Array]]) -> Rows:
    """Named pictures as (N, channels, height, width): three channels if any of them has three.

    They are taken one by one. Raises UserError if their sizes differ, RunError if a file for them can't be
    written.
    """
    kept, channels = Spool(), array("B")
    first, size = "", (0, 0)
    for name, picture in pictures:
        first, size = (first, size) if first else (name, picture.shape[1:])
        if picture.shape[1:] != size:
            raise UserError(
                f"{name} has {_size(picture.shape[1:])} pixels but {first} {_size(size)}: "
                "--resize gives all pictures one size"
            )
        channels.append(len(picture))
        kept.write(picture)
    return _alike(kept, channels, size)


def _alike(kept: Spool, channels: array[int], size: tuple[int, int]) -> Rows:
    """Pictures of so many channels each, all with those of the one that has most."""
    most = max(channels)
    if most == min(channels):
        return kept.rows((len(channels), most, *size))
    maps, coloured, done = kept.rows((sum(channels), *size)), Spool(), 0
    for own in channels:
        coloured.write(np.broadcast_to(maps[done : done + own], (most, *size)))
        done += own
    return coloured.rows((len(channels), most, *size))


def _size(size: tuple[int, ...]) -> str:
    return f"{size[0]} x {size[1]}"
