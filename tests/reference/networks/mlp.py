"""A multilayer perceptron: affine layers with ReLU between them."""

from __future__ import annotations

from itertools import pairwise

from largebatch.models.forward import activations, scores
from tests.reference import Floats, Image, Ints, Shapes, stack, unstack
from tests.reference.loss import softmax_cross_entropy

HIDDEN = (256, 128)


def shapes(image: Image, classes: int, pad: int, hidden: tuple[int, ...] = HIDDEN) -> Shapes:
    """W and b of each layer. There is no convolution: `pad` changes nothing, here and below."""
    C, H, W = image
    found: Shapes = []
    for layer, (before, after) in enumerate(pairwise((C * H * W, *hidden, classes)), start=1):
        found += [(before, after, layer), (1, after, layer)]
    return found


def forward(
    w: Floats, X: Floats, image: Image, classes: int, pad: int, hidden: tuple[int, ...] = HIDDEN
) -> Floats:
    """Scores (N, K) of the rows X (N, C*H*W)."""
    return scores(unstack(w, shapes(image, classes, pad, hidden)), X, image, 0, pad)


def gradient(
    w: Floats, X: Floats, y: Ints, image: Image, classes: int, pad: int, hidden: tuple[int, ...] = HIDDEN
) -> tuple[Floats, float, int]:
    """Gradient (P,) and loss, both summed over the rows, and the rows predicted right.

    X (N, C*H*W), y (N,) of 1..K. ReLU's derivative at 0 is 0.
    """
    arrays = unstack(w, shapes(image, classes, pad, hidden))
    values = [X, *activations(arrays, X.reshape(-1, *image), 0, pad)[1:]]
    loss, correct, dvalue = softmax_cross_entropy(values[-1], y)
    gradients: list[Floats] = []
    for W, value in zip(arrays[-2::-2], values[-2::-1], strict=True):
        gradients = [value.T @ dvalue, dvalue.sum(axis=0), *gradients]
        dvalue = (dvalue @ W.T) * (value > 0)
    return stack(gradients), loss, correct
