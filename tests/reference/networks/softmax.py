"""Softmax regression: one affine layer."""

from __future__ import annotations

import numpy as np

from largebatch.models.forward import scores
from tests.reference import Floats, Image, Ints, Shapes, stack, unstack
from tests.reference.loss import softmax_cross_entropy


def shapes(image: Image, classes: int, pad: int) -> Shapes:
    """W (C*H*W, K) and b (1, K). There is no convolution: `pad` changes nothing, here and below."""
    C, H, W = image
    return [(C * H * W, classes, 1), (1, classes, 1)]


def forward(w: Floats, X: Floats, image: Image, classes: int, pad: int) -> Floats:
    """Scores (N, K) of the images X (N, C*H*W)."""
    return scores(unstack(w, shapes(image, classes, pad)), X, image, 0, pad)


def gradient(
    w: Floats, X: Floats, y: Ints, image: Image, classes: int, pad: int
) -> tuple[Floats, float, int]:
    """Gradient (P,) and loss, both summed over the rows, and the rows predicted right.

    X (N, C*H*W), y (N,) of 1..K.
    """
    loss, correct, dscores = softmax_cross_entropy(forward(w, X, image, classes, pad), y)
    return stack([X.T @ dscores, np.sum(dscores, axis=0)]), loss, correct
