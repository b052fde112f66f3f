"""The residual network of depth 8, a block in each stage, with the moments of the start."""

from __future__ import annotations

from tests.reference import Floats, Image, Ints, Shapes
from tests.reference.networks import residual

BLOCKS = 1


def shapes(image: Image, classes: int, pad: int, filters: int = residual.FILTERS) -> Shapes:
    """See `residual`; `pad` changes nothing, here and below."""
    return residual.shapes(BLOCKS, image, classes, filters)


def moments(image: Image, classes: int) -> list[Floats]:
    """Those of the start: mean and variance of each unit."""
    return residual.start_moments(BLOCKS, image, classes)


def forward(w: Floats, X: Floats, image: Image, classes: int, pad: int) -> Floats:
    """Scores (N, K) of the images X (N, C*H*W)."""
    return residual.forward(BLOCKS, w, X, image, classes)


def gradient(
    w: Floats, X: Floats, y: Ints, image: Image, classes: int, pad: int
) -> tuple[Floats, float, int]:
    """Gradient (P,) and loss, both summed over the rows, and the rows predicted right."""
    return residual.gradient(BLOCKS, w, X, y, image, classes)[:3]
