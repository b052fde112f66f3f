"""Residual networks of He et al. 2016, section 4.2, with projections: what resnet8 and resnet20 share.

The forward pass is that of the package. A name dA is the derivative of the summed loss with respect to A.
"""

from __future__ import annotations

import numpy as np

from largebatch.models.residual import (
    EPSILON,
    STAGES,
    Unit,
    activations,
    has_projection,
    kernels,
    patches,
    scores,
    units_of,
)  # fmt: skip
from tests.reference import Floats, Image, Ints, Shapes, stack, unstack
from tests.reference.loss import softmax_cross_entropy

FILTERS = 16


def shapes(blocks: int, image: Image, classes: int, filters: int = FILTERS) -> Shapes:
    """Filters, scales and shifts of each unit, then W and b."""
    sizes = [(filters, image[0] * 9)]
    for block in range(STAGES * blocks):
        after = filters * 2 ** (block // blocks)
        before = after // 2 if has_projection(block, blocks) else after
        sizes += [(after, before * 9), (after, after * 9)]
        sizes += [(after, before)] if before < after else []
    found: Shapes = []
    for layer, (rows, cols) in enumerate(sizes, start=1):
        found += [(rows, cols, layer), (rows, 1, layer), (rows, 1, layer)]
    return [*found, (4 * filters, classes, len(sizes) + 1), (1, classes, len(sizes) + 1)]


def start_moments(blocks: int, image: Image, classes: int, filters: int = FILTERS) -> list[Floats]:
    """Running mean and variance of each unit before the first update: 0 and 1."""
    sizes = [rows for rows, _, _ in shapes(blocks, image, classes, filters)[:-2:3]]
    return [moment for size in sizes for moment in (np.zeros((size, 1)), np.ones((size, 1)))]


def forward(blocks: int, w: Floats, X: Floats, image: Image, classes: int, filters: int = FILTERS) -> Floats:
    """Scores (N, K) of the images X (N, C*H*W), by the moments at the start."""
    arrays = unstack(w, shapes(blocks, image, classes, filters))
    return scores([*arrays, *start_moments(blocks, image, classes, filters)], X.reshape(-1, *image), blocks)


def gradient(
    blocks: int, w: Floats, X: Floats, y: Ints, image: Image, classes: int, filters: int = FILTERS
) -> tuple[Floats, float, int, Floats]:
    """Gradient (P,) and loss, summed over the rows, rows predicted right, and sums for the moments (2T,).

    X (N, C*H*W), y (N,) of 1..K. The sums are N * mean and N * (variance + mean^2) of each filter.
    """
    arrays = unstack(w, shapes(blocks, image, classes, filters))
    units, scores, Z = activations(arrays, X.reshape(-1, *image), blocks)
    loss, correct, dscores = softmax_cross_entropy(scores, y)
    dfeatures = dscores @ arrays[-2].T
    dZ = np.broadcast_to(dfeatures[:, :, None, None] / Z[0, 0].size, Z.shape)
    found = [Z.mean(axis=(2, 3)).T @ dscores, dscores.sum(axis=0)]
    i = units_of(blocks)
    for block in reversed(range(STAGES * blocks)):
        stride = 2 if has_projection(block, blocks) else 1
        i -= 1 + stride
        dsum = dZ * (Z > 0)
        first, second, *projection = units[i : i + 1 + stride]
        Z = first.X
        dR, *of_second = _unit_gradient(dsum, second, arrays[3 * (i + 1) :], 1)
        dX, *of_first = _unit_gradient(dR * (second.X > 0), first, arrays[3 * i :], stride)
        dZ, of_projection = dX + dsum if stride == 1 else dX, []
        if projection:
            dX, *of_projection = _unit_gradient(dsum, projection[0], arrays[3 * (i + 2) :], stride)
            dZ = dZ + dX
        found = [*of_first, *of_second, *of_projection, *found]
    _, *of_first = _unit_gradient(dZ * (Z > 0), units[0], arrays, 1)
    means = np.concatenate([unit.mean for unit in units])
    squares = np.concatenate([unit.variance for unit in units]) + means**2
    return stack([*of_first, *found]), loss, correct, len(X) * np.concatenate([means, squares])


def _unit_gradient(dY: Floats, unit: Unit, arrays: list[Floats], stride: int) -> list[Floats]:
    """dX, dF, dgamma and dbeta."""
    F, gamma = arrays[0], arrays[1].ravel()
    over, M = (0, 2, 3), unit.A[:, 0].size
    scale = 1 / np.sqrt(unit.variance + EPSILON)
    normal = (unit.A - unit.mean[:, None, None]) * scale[:, None, None]
    dbeta, dgamma = dY.sum(axis=over), (dY * normal).sum(axis=over)
    through = dY - dbeta[:, None, None] / M - normal * dgamma[:, None, None] / M
    dA = through * (gamma * scale)[:, None, None]
    dF = np.einsum("nchwij,nfhw->fcij", patches(unit.X, F, stride), dA, optimize=True)
    return [_input_gradient(dA, unit.X, F, stride), dF, dgamma, dbeta]


def _input_gradient(dA: Floats, X: Floats, F: Floats, stride: int) -> Floats:
    """Every filter's share of each pixel, place by place."""
    weights = kernels(F, X.shape[1])
    side, (_, _, H, W), (_, _, Hout, Wout) = weights.shape[-1], X.shape, dA.shape
    around = side // 2
    dX = np.zeros((*X.shape[:2], H + 2 * around, W + 2 * around))
    for i, j in np.ndindex(side, side):
        part = np.einsum("nfhw,fc->nchw", dA, weights[:, :, i, j], optimize=True)
        dX[:, :, i : i + stride * Hout : stride, j : j + stride * Wout : stride] += part
    return dX[:, :, around : around + H, around : around + W]
