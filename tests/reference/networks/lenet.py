"""LeNet-5 as the paper has it (section 3.1): ReLU and max pooling, no dropout.

conv 6 @ 5x5 - ReLU - maxpool 2x2 - conv 16 @ 5x5 - ReLU - maxpool 2x2 - 120 - ReLU - 84 - ReLU - K scores.

Inside, images are (N, C, H, W); a row of X is one image, channel by channel, each row by row. "Convolution"
is the cross-correlation that LeNet is built of, stride 1. Gradients are the chain rule, layer by layer; a
name dA is the derivative of the summed loss with respect to A.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from largebatch.models.forward import SIDE, activations, kernels, padded, patches, scores
from tests.reference import Floats, Image, Ints, Shapes, stack, unstack
from tests.reference.loss import softmax_cross_entropy

FILTERS = (6, 16)
HIDDEN = (120, 84)


def shapes(image: Image, classes: int, pad: int) -> Shapes:
    """Rows, columns and layer of W1, b1 ... W5, b5.

    `pad` zeros stand on every side of a convolution's input: 2 keeps the size, 0 takes 4 off. Pooling halves
    it and drops an odd last row or column.
    """
    C, H, W = image
    H2, W2 = (_pooled_size(_pooled_size(side, pad), pad) for side in (H, W))
    if min(H2, W2) < 1:
        raise ValueError(f"images of {H}x{W} are too small for LeNet with pad {pad}")
    F1, F2 = FILTERS
    M3, M4 = HIDDEN
    D = F2 * H2 * W2
    filters = [(F1, C * SIDE**2, 1), (F1, 1, 1), (F2, F1 * SIDE**2, 2), (F2, 1, 2)]
    return [*filters, (D, M3, 3), (1, M3, 3), (M3, M4, 4), (1, M4, 4), (M4, classes, 5), (1, classes, 5)]


def forward(w: Floats, X: Floats, image: Image, classes: int, pad: int) -> Floats:
    """Scores (N, K) of the images X (N, C*H*W)."""
    return scores(unstack(w, shapes(image, classes, pad)), X, image, len(FILTERS), pad)


def gradient(
    w: Floats, X: Floats, y: Ints, image: Image, classes: int, pad: int
) -> tuple[Floats, float, int]:
    """Gradient (P,) and loss, both summed over the rows, and the rows predicted right.

    X (N, C*H*W), y (N,) of 1..K. ReLU's derivative at 0 is 0: where a pooled value is 0 nothing flows back.
    """
    arrays = unstack(w, shapes(image, classes, pad))
    W1, _, W2, _, W3, _, W4, _, W5, _ = arrays
    a = _Activations(*activations(arrays, X.reshape(-1, *image), len(FILTERS), pad))
    loss, correct, dscores = softmax_cross_entropy(a.scores, y)

    dW5, db5 = a.h4.T @ dscores, dscores.sum(axis=0)
    dh4 = (dscores @ W5.T) * (a.h4 > 0)
    dW4, db4 = a.h3.T @ dh4, dh4.sum(axis=0)
    dh3 = (dh4 @ W4.T) * (a.h3 > 0)
    dW3, db3 = a.p2.reshape(len(X), -1).T @ dh3, dh3.sum(axis=0)
    dp2 = (dh3 @ W3.T).reshape(a.p2.shape)

    dc2 = max_pool_gradient(dp2, a.c2) * (a.c2 > 0)
    dp1, dW2, db2 = convolve_gradient(dc2, a.p1, W2, pad)
    dc1 = max_pool_gradient(dp1, a.c1) * (a.c1 > 0)
    _, dW1, db1 = convolve_gradient(dc1, a.images, W1, pad)

    return stack([dW1, db1, dW2, db2, dW3, db3, dW4, db4, dW5, db5]), loss, correct


def convolve_gradient(dout: Floats, A: Floats, F: Floats, pad: int) -> tuple[Floats, Floats, Floats]:
    """dA (N, C, H, W), dF (filters, C*5*5) and db (filters, 1) from dout; shapes as in `convolve`."""
    _, _, H, W = A.shape
    _, _, Hout, Wout = dout.shape
    dF = np.einsum("nchwij,nfhw->fcij", patches(A, pad), dout, optimize=True)
    db = dout.sum(axis=(0, 2, 3))
    dpadded = np.zeros_like(padded(A, pad))
    for i, j in np.ndindex(SIDE, SIDE):  # every place of a filter that an input pixel can stand under
        dpadded[:, :, i : i + Hout, j : j + Wout] += np.einsum(
            "nfhw,fc->nchw", dout, kernels(F)[:, :, i, j], optimize=True
        )
    return dpadded[:, :, pad : pad + H, pad : pad + W], dF.reshape(F.shape), db[:, None]


def max_pool_gradient(dout: Floats, A: Floats) -> Floats:
    """dA (N, C, H, W): a window's gradient goes to its maximum, of several to the first row by row."""
    first = _windows(A).argmax(axis=-1)
    n, c, h, w = np.indices(dout.shape)
    dA = np.zeros_like(A)
    dA[n, c, 2 * h + first // 2, 2 * w + first % 2] = dout
    return dA


class _Activations(NamedTuple):
    """What each layer puts out: c after a convolution and h after an affine layer, both behind ReLU."""

    images: Floats  # (N, C, H, W)
    c1: Floats  # (N, 6, H, W), 4 less on each side without padding
    p1: Floats  # (N, 6, H1, W1)
    c2: Floats  # (N, 16, H1, W1), likewise
    p2: Floats  # (N, 16, H2, W2), flattened by filter, row, column
    h3: Floats  # (N, 120)
    h4: Floats  # (N, 84)
    scores: Floats  # (N, K)


def _pooled_size(side: int, pad: int) -> int:
    """Height or width after a convolution and its pooling; below 1 where no window fits."""
    return (side + 2 * pad - (SIDE - 1)) // 2


def _windows(A: Floats) -> Floats:
    """(N, C, H//2, W//2, 4): the pixels of each 2x2 window, row by row."""
    N, C, H, W = A.shape
    even = A[:, :, : H // 2 * 2, : W // 2 * 2]
    by_window = even.reshape(N, C, H // 2, 2, W // 2, 2).swapaxes(3, 4)
    return by_window.reshape(N, C, H // 2, W // 2, 4)
