"""The forward pass of every network in NumPy: the formulas of dml/networks/ and nothing else.

It imports NumPy and `residual` alone, as Spark's executors get both by value: they need no `largebatch`.
Residual networks are in that file. Others are a row of layers with a weight and a bias each. The first
`convolutions` of them are convolutions of 5 x 5 with ReLU and 2x2 max pooling behind. The rest are affine,
with ReLU behind all but the last. `padding` zeros stand on every side of a convolution's input, and zeros
around each image of fewer than `side` pixels a side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from largebatch.models.residual import scores as residual_scores

Floats = npt.NDArray[np.float64]
Form = tuple[int, int, int, int]  # convolutions, padding, residual blocks of a stage or 0, side

SIDE = 5  # of a filter
ROWS = 32  # images at a time, whose maps fit a processor's cache


def scores(
    arrays: Sequence[Floats],
    X: npt.NDArray[Any],
    image: tuple[int, int, int],
    convolutions: int,
    padding: int,
) -> Floats:
    """Scores of the classes, of shape (N, K), of images of shape (N, C*H*W) that are scaled already.

    `arrays` are weight and bias of each layer: filters (F, C*5*5) and (F, 1), matrices (inputs, outputs) and
    (1, outputs). `image` is (C, H, W).
    """
    maps = np.asarray(X, np.float64).reshape(-1, *image)
    found = np.empty((len(maps), arrays[-1].shape[1]))
    for first in range(0, len(maps), ROWS):
        some = slice(first, first + ROWS)
        found[some] = activations(arrays, maps[some], convolutions, padding)[-1]
    return found


def scores_of(
    arrays: Sequence[Floats], X: npt.NDArray[Any], image: tuple[int, int, int], form: Form
) -> Floats:
    """The same for every network."""
    convolutions, padding, blocks, side = form
    maps = with_zeros(np.asarray(X, np.float64).reshape(-1, *image), side)
    if blocks:
        return residual_scores(arrays, maps, blocks)
    return scores(arrays, maps, maps.shape[1:], convolutions, padding)


def with_zeros(images: npt.NDArray[Any], side: int) -> npt.NDArray[Any]:
    """Images of shape (N, C, H, W) in the middle of zeros, so that no side has fewer than so many pixels."""
    return np.pad(images, ((0, 0), (0, 0), *(margins(pixels, side) for pixels in images.shape[2:])))


def margins(pixels: int, side: int) -> tuple[int, int]:
    """Zeros before and behind so many pixels, that they become a side."""
    missing = max(side - pixels, 0)
    return missing // 2, missing - missing // 2


def softmax(scores: Floats) -> Floats:
    """Probabilities of the classes, of the shape of the scores, (N, K)."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def activations(arrays: Sequence[Floats], maps: Floats, convolutions: int, padding: int) -> list[Floats]:
    """The images (N, C, H, W), what each layer makes of them, and last the scores (N, K).

    A convolution gives two entries: its maps behind ReLU, and these pooled.
    """
    found = [maps]
    layers = list(zip(arrays[::2], arrays[1::2], strict=True))
    for F, b in layers[:convolutions]:
        found.append(relu(convolve(found[-1], F, b, padding)))
        found.append(max_pool(found[-1]))
    for W, b in layers[convolutions:-1]:
        found.append(relu(_flat(found[-1]) @ W + b))
    W, b = layers[-1]
    return [*found, _flat(found[-1]) @ W + b]


def convolve(A: Floats, F: Floats, b: Floats, padding: int) -> Floats:
    """out[n,f,h,w] = b_f + sum over c,i,j of A[n,c,h+i-padding,w+j-padding] * F[f,c,i,j].

    A is zero outside. A (N, C, H, W); F (filters, C*5*5), each row one filter, channel by channel;
    b (filters, 1); out (N, filters, H+2*padding-4, W+2*padding-4).
    """
    out = np.einsum("nchwij,fcij->nfhw", patches(A, padding), kernels(F), optimize=True)
    return np.asarray(out + b[:, :, None])


def max_pool(A: Floats) -> Floats:
    """Maximum of each 2x2 window: (N, C, H, W) to (N, C, H//2, W//2). An odd last row or column drops out."""
    H, W = A.shape[2] // 2 * 2, A.shape[3] // 2 * 2
    rows = np.maximum(A[:, :, :H:2], A[:, :, 1:H:2])
    return np.maximum(rows[..., :W:2], rows[..., 1:W:2])


def relu(A: Floats) -> Floats:
    """Each number, or 0 if it is below."""
    return np.maximum(A, 0)


def padded(A: Floats, padding: int) -> Floats:
    """A with zeros on every side, of shape (N, C, H+2*padding, W+2*padding)."""
    return np.pad(A, ((0, 0), (0, 0), (padding, padding), (padding, padding)))


def patches(A: Floats, padding: int) -> Floats:
    """What lies under a filter at each of its positions, of shape (N, C, Hout, Wout, 5, 5)."""
    return np.lib.stride_tricks.sliding_window_view(padded(A, padding), (SIDE, SIDE), axis=(2, 3))


def kernels(F: Floats) -> Floats:
    """Filters of shape (filters, C*5*5) in the shape (filters, C, 5, 5)."""
    return F.reshape(len(F), -1, SIDE, SIDE)


def _flat(A: Floats) -> Floats:
    return A.reshape(len(A), -1)
