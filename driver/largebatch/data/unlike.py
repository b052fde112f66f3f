"""Images unlike those that a model was trained on: inverted ones, and ones that are scaled otherwise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from largebatch.data.dataset import BYTE_SCALE, Images
from largebatch.data.look import MIDDLE_OF_BYTES, Look, share_above
from largebatch.data.stored import Array, Rows, ends
from largebatch.errors import UserError

ROWS = 1000  # that are adjusted at a time
FAR = 8.0  # times brighter or darker than the training images: no set of images is so by itself
CLEAR = 0.15  # how far a share of light pixels must be from one half to tell light grounds from dark ones


@dataclass(frozen=True)
class Adjustment:
    """What the user wants done to pixels before they are used: first multiplied, then inverted."""

    scale: float | None = None
    invert: bool = False


NONE = Adjustment()


def adjusted(X: Array, wanted: Adjustment, size: Images, trained: Look | None, shown: str) -> Array:
    """Images (N, ...) as wanted: uint8 for models of bytes, else float64.

    Raises UserError, which calls the images `shown`, for pixels that are then no bytes, and where floats
    of an unknown range are to be inverted.
    """
    ends = _ends(size, trained, wanted.invert)
    pixels = np.empty(X.shape, np.uint8 if size.in_bytes else np.float64)
    for i in range(0, len(X), ROWS):
        rows = X[i : i + ROWS] * (1.0 if wanted.scale is None else wanted.scale)
        if wanted.invert:
            rows = sum(ends) - rows
        if size.in_bytes:
            rows = np.rint(rows)
            if not (rows.min() >= 0 and rows.max() <= BYTE_SCALE):  # NaN is neither
                below = rows.min() < 0 and not wanted.invert
                mend = "shift them in the file, so that none is negative" if below else "give another --scale"
                raise UserError(
                    f"{shown} has pixels of {rows.min():g}..{rows.max():g} after --scale and --invert; they "
                    f"must be 0..{BYTE_SCALE}: {mend}"
                )
        pixels[i : i + ROWS] = rows
    return pixels


def _ends(size: Images, trained: Look | None, needed: bool) -> tuple[float, float]:
    """The smallest and the largest pixel that the model knows."""
    if size.in_bytes or not needed:
        return 0.0, float(BYTE_SCALE)
    if trained is None:
        raise UserError(
            "--invert needs the range of the training images, which the run's folder does not hold: it is of "
            "an older version; invert the images in their file"
        )
    return trained.lowest, trained.highest


def remarks(X: Rows, size: Images, trained: Look | None, shown: str) -> list[str]:
    """Sentences about images (N, ...) that look unlike those that a model was trained on; most have none.

    `trained` is what the training images looked like, None where that is not known. Images that are turned,
    mirrored or transposed can't be told from others.
    """
    if trained is None and not size.in_bytes:
        return []
    peak = max(map(abs, ends(X)))
    usual = float(BYTE_SCALE) if trained is None else max(abs(trained.lowest), abs(trained.highest))
    if not peak or not usual:
        return [f"{shown}: all pixels are 0"] if usual else []
    factor = usual / peak if not 1 / FAR < usual / peak < FAR else 1.0
    found = [_brightness(shown, peak, usual, factor)] if factor != 1 else []
    if trained is not None:
        middle = MIDDLE_OF_BYTES if size.in_bytes else (trained.lowest + trained.highest) / 2
        found += _ground(shown, share_above(X, middle / factor), trained.light)
    return found


def _brightness(shown: str, peak: float, usual: float, factor: float) -> str:
    return (
        f"{shown}: no pixel is above {peak:g}, the training images reach {usual:g}: "
        if factor > 1
        else f"{shown}: pixels reach {peak:g}, the training images only {usual:g}: "
    ) + f"if they were scaled otherwise, --scale {factor:.4g} mends it"


def _ground(shown: str, light: float, usual: float) -> list[str]:
    """A remark if the images are more like the training images inverted than like those."""
    inverted = abs(light - (1 - usual)) < abs(light - usual)
    if not inverted or abs(usual - 0.5) < CLEAR:
        return []
    return [
        f"{shown}: {light:.0%} of the pixels are light, of the training images {usual:.0%}: if light and "
        "dark are the wrong way round, --invert mends it"
    ]
