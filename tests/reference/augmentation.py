"""Images with zeros around them, and random crops and mirror images (He et al. 2016, section 4.2)."""

from __future__ import annotations

import numpy as np

from tests.reference import Floats, Image

MARGIN = 4


def padded(X: Floats, image: Image, side: int) -> Floats:
    """The images X (N, C*H*W) in the middle of zeros, `side` pixels a side at least."""
    C, H, W = image
    height, width = max(H, side), max(W, side)
    top, left = (height - H) // 2, (width - W) // 2
    found = np.zeros((len(X), C, height, width))
    found[:, :, top : top + H, left : left + W] = X.reshape(-1, *image)
    return found.reshape(len(X), -1)


def moved(X: Floats, draws: Floats, image: Image) -> Floats:
    """A crop of each image out of zeros around it, then perhaps its mirror image.

    draws (N, 3): rows and columns by which the crop is off the middle, and 1 for a mirror image.
    """
    _, H, W = image
    found = []
    for pixels, (down, right, mirrored) in zip(X.reshape(-1, *image), draws.astype(int), strict=True):
        around = np.pad(pixels, ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN)))
        top, left = MARGIN + down, MARGIN + right
        crop = around[:, top : top + H, left : left + W]
        found.append(crop[:, :, ::-1] if mirrored else crop)
    return np.array(found).reshape(len(X), -1)
