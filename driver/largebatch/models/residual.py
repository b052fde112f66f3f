"""Residual networks in NumPy: the formulas of dml/layers/residual.dml. See `forward` for who imports it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

EPSILON = 1e-5  # added to variances
STAGES = 3
ROWS = 32  # images at a time, whose maps fit a processor's cache


class Unit(NamedTuple):
    """What a convolution and its batch normalisation made of the maps X (N, C, H, W)."""

    X: Floats
    A: Floats  # convolved, (N, filters, H/stride, W/stride), rounded up
    mean: Floats  # by which A was normalised, (filters,)
    variance: Floats
    Y: Floats  # normalised, of the shape of A


def units_of(blocks: int) -> int:
    """How many units a network with so many blocks in a stage has."""
    return 1 + STAGES * 2 * blocks + STAGES - 1


def has_projection(block: int, blocks: int) -> bool:
    """Whether a block, counted from 0, changes the shape: the first one of the second and third stage."""
    return block > 0 and block % blocks == 0


def scores(arrays: Sequence[Floats], maps: Floats, blocks: int) -> Floats:
    """Scores of the classes, of shape (N, K), of images (N, C, H, W), by the moments.

    `arrays` are filters (F, C*side*side), scales and shifts (F, 1) of each unit, the matrix (features, K) and
    the biases (1, K), then running mean and variance (F, 1) of each unit.
    """
    count = units_of(blocks)
    kept = [array.ravel() for array in arrays[3 * count + 2 :]]
    moments = list(zip(kept[::2], kept[1::2], strict=True))
    pieces = (maps[first : first + ROWS] for first in range(0, max(len(maps), 1), ROWS))
    return np.concatenate([activations(arrays, piece, blocks, moments)[1] for piece in pieces])


def activations(
    arrays: Sequence[Floats], maps: Floats, blocks: int, moments: Sequence[tuple[Floats, Floats]] = ()
) -> tuple[list[Unit], Floats, Floats]:
    """All units, the scores (N, K), and the last block's maps.

    Without moments, maps are normalised by their own.
    """
    units: list[Unit] = []

    def unit(X: Floats, stride: int = 1) -> Floats:
        i = len(units)
        units.append(_unit(X, arrays[3 * i : 3 * i + 3], stride, moments[i] if moments else None))
        return units[-1].Y

    Z = np.maximum(unit(maps), 0)
    for block in range(STAGES * blocks):
        stride = 2 if has_projection(block, blocks) else 1
        sums = unit(np.maximum(unit(Z, stride), 0))
        Z = np.maximum(sums + (unit(Z, stride) if stride == 2 else Z), 0)
    W, b = arrays[3 * len(units) : 3 * len(units) + 2]
    return units, np.asarray(Z.mean(axis=(2, 3)) @ W + b), Z


def _unit(X: Floats, arrays: Sequence[Any], stride: int, moments: tuple[Floats, Floats] | None) -> Unit:
    F, gamma, beta = arrays
    A = convolve(X, F, stride)
    mean, variance = moments or (A.mean(axis=(0, 2, 3)), A.var(axis=(0, 2, 3)))
    scale = gamma.ravel() / np.sqrt(variance + EPSILON)
    Y = A * scale[:, None, None] + (beta.ravel() - mean * scale)[:, None, None]
    return Unit(X, A, mean, variance, Y)


def convolve(X: Floats, F: Floats, stride: int) -> Floats:
    """A square filter of an odd side on every `stride`-th pixel of X, which is zero outside.

    X (N, C, H, W); F (filters, C*side*side), each row one filter, channel by channel.
    """
    out = np.einsum("nchwij,fcij->nfhw", patches(X, F, stride), kernels(F, X.shape[1]), optimize=True)
    return np.asarray(out)


def kernels(F: Floats, channels: int) -> Floats:
    """Filters of shape (filters, C*side*side) in the shape (filters, C, side, side)."""
    side = round((F.shape[1] / channels) ** 0.5)
    return F.reshape(len(F), channels, side, side)


def patches(X: Floats, F: Floats, stride: int) -> Floats:
    """What lies under a filter at each of its places, of shape (N, C, Hout, Wout, side, side)."""
    side = kernels(F, X.shape[1]).shape[-1]
    around = side // 2
    padded = np.pad(X, ((0, 0), (0, 0), (around, around), (around, around)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(2, 3))
    return windows[:, :, ::stride, ::stride]
