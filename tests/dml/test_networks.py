"""Networks in DML against independent NumPy twins and central differences."""

from __future__ import annotations

import numpy as np
import pytest

from largebatch.files.names import Argument
from largebatch.settings.training import Training
from tests.reference import Image, parameter_count, stack, unstack
from tests.reference.loss import softmax_cross_entropy
from tests.reference.networks import TWINS, lenet, mlp, softmax
from tests.support.harness import DML, Matrix

pytestmark = pytest.mark.systemds

# Same formulas in double precision; sums of up to 1e4 terms in another order.
ROUNDING = 1e-10
# Half the distance of the two points of a central difference. Rounding puts about 1e-15/STEP = 1e-9 on the
# quotient. So small a step keeps clear of the kinks of ReLU and max pooling, which with SEED none is near.
STEP = 1e-6
SEED = 3
# Two hundred times the largest error seen; gradient entries are of order 0.01 to 1.
GRADIENT_TOLERANCE = 1e-7
# Blocks of the parameters: a difference each. One for each parameter would take a minute.
BLOCKS = 300
# A standard deviation estimated from n normal numbers is off by more than 5/sqrt(2n), relatively, once in two
# million times; their mean likewise by 5/sqrt(n) standard deviations.
SIGMAS = 5

CASES: list[tuple[str, Image, int]] = [
    ("lenet", (1, 8, 8), 2),
    ("lenet", (2, 8, 10), 2),
    ("lenet", (1, 16, 16), 0),
    ("lenet", (2, 16, 18), 0),
    ("lenet", (1, 9, 11), 2),
    ("lenet", (2, 17, 16), 0),
    ("lenet", (1, 28, 28), 2),
    ("softmax", (1, 8, 8), 2),
    ("softmax", (2, 3, 4), 0),
    ("mlp", (1, 8, 8), 2),
    ("mlp", (3, 1, 5), 0),
    ("resnet8", (1, 8, 8), 2),
    ("resnet8", (3, 9, 10), 2),
    ("resnet20", (1, 8, 8), 2),
]


def described(network: str, image: Image, padding: int, classes: int = 10) -> dict[str, Argument]:
    """A network as the test programs' arguments name it."""
    channels, height, width = image
    return {
        "network": network, "channels": channels, "height": height, "width": width,
        "classes": classes, "padding": padding,
    }  # fmt: skip


@pytest.mark.parametrize(("network", "image", "padding"), CASES)
def test_arrays_scores_gradient_and_loss_equal_the_twins(
    dml: DML, network: str, image: Image, padding: int
) -> None:
    twin = TWINS[network]
    shapes = twin.shapes(image, 10, padding)
    rng = np.random.default_rng(SEED)
    w = rng.normal(0, 0.2, parameter_count(shapes))
    X = rng.random((7, int(np.prod(image))))
    y = rng.integers(1, 11, 7)
    found = dml.call(
        "gradient.dml",
        {"w": w[:, None], "X": X, "y": y[:, None]},
        ("S", "scores", "g", "sums"),
        **described(network, image, padding),
    )
    assert [tuple(row) for row in found["S"][:, :3].astype(int)] == shapes
    g, loss, correct = twin.gradient(w, X, y, image, 10, padding)
    np.testing.assert_allclose(found["scores"], twin.forward(w, X, image, 10, padding), atol=ROUNDING)
    np.testing.assert_allclose(found["g"][:, 0], g, atol=ROUNDING * np.abs(g).max())
    np.testing.assert_allclose(found["sums"][0, :2], (loss, correct), rtol=ROUNDING)


@pytest.mark.parametrize("hidden", [(6,), (7, 5, 4)])
def test_a_perceptron_has_as_many_hidden_layers_as_it_is_told(dml: DML, hidden: tuple[int, ...]) -> None:
    image = (1, 1, 9)
    shapes = mlp.shapes(image, 3, 0, hidden)
    rng = np.random.default_rng(SEED)
    w, X = rng.normal(0, 0.5, parameter_count(shapes)), rng.standard_normal((6, 9))
    y = np.array([1, 2, 3, 3, 2, 1])
    told = Training(network="mlp", hidden=hidden).dml_arguments(("hidden",))
    found = dml.call(
        "gradient.dml",
        {"w": w[:, None], "X": X, "y": y[:, None]},
        ("S", "scores", "g"),
        **described("mlp", image, 0, classes=3) | told,
    )
    assert [tuple(row) for row in found["S"][:, :3].astype(int)] == shapes
    g, _, _ = mlp.gradient(w, X, y, image, 3, 0, hidden)
    np.testing.assert_allclose(found["scores"], mlp.forward(w, X, image, 3, 0, hidden), atol=ROUNDING)
    np.testing.assert_allclose(found["g"][:, 0], g, atol=ROUNDING * np.abs(g).max())


# Density of the images and biases of the two convolutions, which leave few outputs of either above zero.
@pytest.mark.parametrize(
    ("image", "padding", "density", "biases"),
    [
        ((1, 8, 8), 2, 1, (-1, -1)),
        ((1, 8, 8), 2, 0.1, (-0.5, 0)),
        ((1, 8, 8), 2, 1, (-9, 0)),
        ((2, 16, 18), 0, 0.02, (0, -0.5)),
        ((2, 16, 18), 0, 1, (0, -9)),
    ],
)
def test_gradient_equals_the_twins_where_few_units_are_active(
    dml: DML, image: Image, padding: int, density: float, biases: tuple[float, float]
) -> None:
    """SystemDS stores such gradients sparse if it is let, and fails in some of their patterns."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((16, int(np.prod(image))))
    X *= rng.random(X.shape) < density
    y = rng.integers(1, 5, 16)
    shapes = lenet.shapes(image, 4, padding)
    arrays = unstack(rng.normal(0, 0.2, parameter_count(shapes)), shapes)
    for array, value in zip(arrays[1::2], (*biases, 0, 0, 0), strict=True):
        array[:] = value
    w = stack(arrays)
    found = dml.call(
        "gradient.dml",
        {"w": w[:, None], "X": X, "y": y[:, None]},
        ("g",),
        **described("lenet", image, padding, classes=4),
    )["g"][:, 0]
    g, _, _ = lenet.gradient(w, X, y, image, 4, padding)
    np.testing.assert_allclose(found, g, atol=ROUNDING * np.abs(g).max())


def test_loss_of_huge_scores_does_not_overflow(dml: DML) -> None:
    """Weights of 1e4 on single pixels: scores (1e4, 0) and (0, 1e4), of classes 2 and 2."""
    w = np.array([1e4, 0, 0, 1e4, 0, 0])
    found = dml.call(
        "gradient.dml",
        {"w": w[:, None], "X": np.eye(2), "y": [[2], [2]]},
        ("g", "sums"),
        **described("softmax", (1, 1, 2), 0, classes=2),
    )
    assert found["sums"].tolist() == [[1e4, 1]]
    assert found["g"][:, 0].tolist() == [1, -1, 0, 0, 1, -1]


@pytest.mark.parametrize(
    ("network", "image", "padding"), [("lenet", (1, 8, 8), 2), ("lenet", (1, 16, 16), 0)]
)
def test_gradient_is_the_central_difference_of_the_loss_in_all_parameters(
    dml: DML, network: str, image: Image, padding: int
) -> None:
    rng = np.random.default_rng(SEED)
    shapes = lenet.shapes(image, 3, padding)
    P = parameter_count(shapes)
    w = rng.normal(0.02, 0.1, P)
    X = rng.standard_normal((3, int(np.prod(image))))
    matrices = {"w": w[:, None], "X": X, "y": np.array([[1], [2], [3]])}
    signs, block = rng.choice([-1, 1], P), rng.permutation(P) % BLOCKS
    directions = np.column_stack([signs, block + 1])
    arguments = described(network, image, padding, classes=3)
    g = dml.call("gradient.dml", matrices, ("g",), **arguments)["g"][:, 0]
    differences = dml.call(
        "central_differences.dml", {**matrices, "D": directions}, ("differences",), step=STEP, **arguments
    )["differences"][:, 0]
    along_signs = np.bincount(block, weights=signs * g)
    np.testing.assert_allclose(along_signs, differences, rtol=0, atol=GRADIENT_TOLERANCE)
    assert all(np.abs(array).max() > 1e4 * GRADIENT_TOLERANCE for array in unstack(g, shapes))


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_smoothed_labels_give_the_twins_loss_whose_central_difference_is_the_gradient(
    dml: DML, smoothing: float
) -> None:
    rng = np.random.default_rng(SEED)
    image: Image = (1, 1, 5)
    shapes = softmax.shapes(image, 3, 0)
    P = parameter_count(shapes)
    w, X, y = rng.standard_normal(P), rng.standard_normal((4, 5)), np.array([1, 2, 3, 3])
    directions = np.column_stack([np.ones(P), np.arange(P) + 1])
    matrices = {"w": w[:, None], "X": X, "y": y[:, None], "D": directions}
    arguments = described("softmax", image, 0, classes=3) | {"label_smoothing": smoothing}
    found = dml.call("gradient.dml", matrices, ("g", "sums"), **arguments)
    loss, correct, dscores = softmax_cross_entropy(softmax.forward(w, X, image, 3, 0), y, smoothing)
    np.testing.assert_allclose(found["sums"], [[loss, correct]], rtol=ROUNDING)
    g = stack([X.T @ dscores, dscores.sum(axis=0)])
    np.testing.assert_allclose(found["g"][:, 0], g, atol=ROUNDING)
    differences = dml.call("central_differences.dml", matrices, ("differences",), step=STEP, **arguments)[
        "differences"
    ][:, 0]
    np.testing.assert_allclose(g, differences, rtol=0, atol=GRADIENT_TOLERANCE)


def start(
    dml: DML, seed: int, network: str, image: Image, padding: int, **more: Argument
) -> tuple[Matrix, Matrix]:
    """Shapes and start values (P,)."""
    arguments = described(network, image, padding) | more
    found = dml.call("start.dml", {}, ("S", "w"), seed=seed, rows=1, epochs=1, **arguments)
    return found["S"], found["w"][:, 0]


@pytest.mark.parametrize(
    ("network", "padding", "P"),
    [
        ("lenet", 2, 107786),
        ("lenet", 0, 44426),
        ("softmax", 2, 7850),
        ("mlp", 2, 235146),
        ("resnet20", 2, 272186),
    ],
)
def test_parameter_count_on_mnist(dml: DML, network: str, padding: int, P: int) -> None:
    S, w = start(dml, SEED, network, (1, 28, 28), padding)
    assert (S[:, 0] * S[:, 1]).sum() == P
    assert w.shape == (P,)


def test_arrays_start_with_different_numbers(dml: DML) -> None:
    S, w = start(dml, SEED, "lenet", (1, 8, 8), 2)
    arrays = unstack(w, lenet.shapes((1, 8, 8), 10, 2))
    firsts = [round(array.flat[0] / np.sqrt(2 / n), 9) for array, n in zip(arrays, S[:, 3], strict=True) if n]
    assert len(set(firsts)) == len(firsts)


def test_start_values_come_from_the_seed(dml: DML) -> None:
    first, same, other = (start(dml, seed, "lenet", (1, 8, 8), 2)[1] for seed in (SEED, SEED, SEED + 1))
    np.testing.assert_array_equal(first, same)
    weights = first != 0
    assert not np.isclose(first[weights], other[weights]).all()
    assert abs(np.corrcoef(first[weights], other[weights])[0, 1]) < SIGMAS / np.sqrt(weights.sum())


# Variance times fan-in, or times (fan-in + fan-out); bound of uniform numbers as a multiple of the deviation,
# the square root of three, and None for normal ones.
INITIALIZATIONS: dict[str, tuple[float, bool, float | None]] = {
    "he_normal": (2, False, None),
    "glorot_normal": (2, True, None),
    "lecun_normal": (1, False, None),
    "he_uniform": (2, False, 3**0.5),
    "glorot_uniform": (2, True, 3**0.5),
    "uniform_fan_in": (1 / 3, False, 3**0.5),
}


@pytest.mark.parametrize("initialization", INITIALIZATIONS)
@pytest.mark.parametrize(
    ("network", "fans"),
    [
        ("lenet", [(50, 150), (150, 400), (64, 120), (120, 84), (84, 10)]),
        ("softmax", [(128, 10)]),
        ("mlp", [(128, 256), (256, 128), (128, 10)]),
    ],
)
def test_start_values_have_their_moments_and_bounds(
    dml: DML, initialization: str, network: str, fans: list[tuple[int, int]]
) -> None:
    S, w = start(dml, SEED, network, (2, 8, 8), 2, initialization=initialization)
    arrays = unstack(w, [(int(rows), int(cols), int(layer)) for rows, cols, layer, *_ in S])
    assert [tuple(row) for row in S[::2, 3:].astype(int)] == fans
    assert not S[1::2, 3:].any()
    scale, both, bound = INITIALIZATIONS[initialization]
    for array, bias, (fan_in, fan_out) in zip(arrays[::2], arrays[1::2], fans, strict=True):
        deviation = np.sqrt(scale / (fan_in + fan_out if both else fan_in))
        assert array.std() == pytest.approx(deviation, rel=SIGMAS / np.sqrt(2 * array.size))
        assert abs(array.mean()) < SIGMAS * deviation / np.sqrt(array.size)
        largest = np.abs(array).max() / deviation
        assert largest > 2.5 if bound is None else 0.95 * bound < largest <= bound
        if initialization == "uniform_fan_in":
            assert bias.all() and np.abs(bias).max() <= bound * deviation
        else:
            assert not bias.any()
