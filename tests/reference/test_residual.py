"""The twin of the residual networks against central differences, and against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.reference import Floats, Image, Ints, parameter_count, unstack
from tests.reference.loss import softmax_cross_entropy
from tests.reference.networks import residual

IMAGE: Image = (2, 8, 9)
CLASSES, FILTERS = 3, 4
STEP, TOLERANCE = 1e-6, 1e-7  # rounding puts some 1e-9 on a quotient; entries are of order 0.1
DIRECTIONS = 40  # of random signs, over all parameters
BLOCKS = [1, 3]


def problem(blocks: int) -> tuple[Floats, Floats, Ints]:
    """Parameters, three images, and their classes."""
    rng = np.random.default_rng(3)
    w = rng.normal(0, 0.3, parameter_count(residual.shapes(blocks, IMAGE, CLASSES, FILTERS)))
    return w, rng.standard_normal((3, int(np.prod(IMAGE)))), np.array([1, 2, 3])


def loss_of(blocks: int, w: Floats, X: Floats, y: Ints) -> float:
    """The loss summed over the rows, normalised by their own moments."""
    arrays = unstack(w, residual.shapes(blocks, IMAGE, CLASSES, FILTERS))
    return softmax_cross_entropy(residual.activations(arrays, X.reshape(-1, *IMAGE), blocks)[1], y)[0]


@pytest.mark.parametrize("blocks", BLOCKS)
def test_the_gradient_is_the_central_difference_of_the_loss(blocks: int) -> None:
    """Each parameter takes part in one of the differences."""
    w, X, y = problem(blocks)
    g = residual.gradient(blocks, w, X, y, IMAGE, CLASSES, FILTERS)[0]
    rng = np.random.default_rng(4)
    signs, block = rng.choice([-1, 1], len(w)), rng.permutation(len(w)) % DIRECTIONS
    for direction in range(DIRECTIONS):
        d = STEP * signs * (block == direction)
        difference = (loss_of(blocks, w + d, X, y) - loss_of(blocks, w - d, X, y)) / (2 * STEP)
        assert (signs * g)[block == direction].sum() == pytest.approx(difference, abs=TOLERANCE, rel=1e-6)


@pytest.mark.parametrize("blocks", BLOCKS)
def test_the_gradient_is_that_of_pytorch(blocks: int) -> None:
    torch = pytest.importorskip("torch")
    w, X, y = problem(blocks)
    shapes = residual.shapes(blocks, IMAGE, CLASSES, FILTERS)
    tensors = [torch.tensor(array, requires_grad=True) for array in unstack(w, shapes)]
    scores = in_torch(torch, blocks, tensors, torch.tensor(X.reshape(-1, *IMAGE)))
    torch.nn.functional.cross_entropy(scores, torch.tensor(y - 1), reduction="sum").backward()
    found = np.concatenate([tensor.grad.numpy().ravel() for tensor in tensors])
    g = residual.gradient(blocks, w, X, y, IMAGE, CLASSES, FILTERS)[0]
    np.testing.assert_allclose(g, found, atol=1e-10 * np.abs(found).max())


def in_torch(torch: Any, blocks: int, arrays: list[Any], x: Any) -> Any:
    """Scores in training mode."""
    functional, left = torch.nn.functional, iter(arrays)

    def unit(x: Any, side: int = 3, stride: int = 1) -> Any:
        F, gamma, beta = next(left), next(left).ravel(), next(left).ravel()
        F = F.reshape(len(F), x.shape[1], side, side)
        x = functional.conv2d(x, F, stride=stride, padding=side // 2)
        return functional.batch_norm(x, None, None, gamma, beta, training=True)

    x = torch.relu(unit(x))
    for block in range(3 * blocks):
        stride = 2 if block and block % blocks == 0 else 1
        y = unit(torch.relu(unit(x, 3, stride)))
        x = torch.relu(y + (unit(x, 1, 2) if stride == 2 else x))
    return x.mean((2, 3)) @ next(left) + next(left)


@pytest.mark.parametrize(("blocks", "P"), [(1, 78042), (3, 272474)])
def test_parameter_counts_are_those_published(blocks: int, P: int) -> None:
    assert parameter_count(residual.shapes(blocks, (3, 32, 32), 10)) == P
