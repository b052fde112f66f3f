"""The twin of the residual networks against central differences, and against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from largebatch.bench.torch_networks import NETWORKS
from largebatch.bench.torch_networks import residual as in_torch
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
def test_scores_and_gradient_are_those_of_the_peer_in_pytorch(blocks: int) -> None:
    """The network that `largebatch bench --peers torch` times, with our weights, in training mode."""
    torch = pytest.importorskip("torch")
    w, X, y = problem(blocks)
    arrays = unstack(w, residual.shapes(blocks, IMAGE, CLASSES, FILTERS))
    arrays[-2] = arrays[-2].T  # PyTorch multiplies from the other side
    peer = in_torch(IMAGE, CLASSES, blocks, FILTERS).double()
    with torch.no_grad():
        for parameter, array in zip(peer.parameters(), arrays, strict=True):
            parameter.copy_(torch.tensor(array).reshape(parameter.shape))
    scores = peer(torch.tensor(X.reshape(-1, *IMAGE)))
    torch.nn.functional.cross_entropy(scores, torch.tensor(y - 1), reduction="sum").backward()
    gradients = [parameter.grad.numpy() for parameter in peer.parameters()]
    gradients[-2] = gradients[-2].T
    found = np.concatenate([gradient.ravel() for gradient in gradients])
    g = residual.gradient(blocks, w, X, y, IMAGE, CLASSES, FILTERS)[0]
    np.testing.assert_allclose(g, found, atol=1e-10 * np.abs(found).max())
    arrays[-2] = arrays[-2].T
    expected = residual.activations(arrays, X.reshape(-1, *IMAGE), blocks)[1]
    np.testing.assert_allclose(scores.detach().numpy(), expected, rtol=1e-9)


@pytest.mark.parametrize(("blocks", "P"), [(1, 78042), (3, 272474)])
def test_parameter_counts_are_those_published(blocks: int, P: int) -> None:
    assert parameter_count(residual.shapes(blocks, (3, 32, 32), 10)) == P


@pytest.mark.parametrize(
    ("name", "P"), [("lenet", 107786), ("resnet8", 78042 - 288), ("resnet20", 272474 - 288)]
)
def test_peers_in_pytorch_have_as_many_parameters(name: str, P: int) -> None:
    """For images of one channel, which take 288 weights less than those of three in a residual network."""
    pytest.importorskip("torch")
    peer = NETWORKS[name]((1, 28, 28), 10)
    assert sum(parameter.numel() for parameter in peer.parameters()) == P
