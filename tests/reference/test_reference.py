"""The twins themselves: against definitions in loops, central differences, and numbers worked by hand."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, Literal

import numpy as np
import pytest

from largebatch.models import forward
from tests.reference import Floats, Image, Ints, optimizers, parameter_count, schedules, stack, unstack
from tests.reference.loss import softmax_cross_entropy
from tests.reference.networks import lenet, mlp, softmax
from tests.reference.optimizers.problem import GROUPS, HYPER, RATE, G, V, W

# Numbers worked by hand: a few roundings of numbers of order 1.
EXACT = 1e-14
# Half the distance of the two points of a central difference. Rounding puts about 1e-15/STEP = 1e-9 on the
# quotient, the third derivative about STEP**2 = 1e-12. So small a step also keeps clear of the kinks of ReLU
# and max pooling: one between the two points would be an error as large as a gradient entry: 0.01 and up.
# With SEED all parameters were differentiated one by one, and there was none.
STEP = 1e-6
SEED = 1
# A hundred times the rounding; the largest error seen, over all parameters, was 1.1e-9.
GRADIENT_TOLERANCE = 1e-7
# Parameters of each array that are differentiated one by one: all of LeNet's take twenty seconds.
PROBES = 40

CLASSES = 3
NETWORKS: list[tuple[ModuleType, Image, int]] = [
    (lenet, (2, 16, 18), 0),  # 12x14, 6x7, 2x3 with an odd column dropped, 1x1
    (lenet, (1, 8, 10), 2),  # 8x10, 4x5, likewise, 2x2
    (softmax, (2, 3, 4), 0),
    (mlp, (2, 1, 3), 0),
]
NETWORK_IDS = ["lenet, no padding", "lenet, padded", "softmax", "mlp"]


def problem(network: ModuleType, image: Image, pad: int) -> tuple[Floats, Floats, Ints]:
    """Parameters (P,), images (4, C*H*W) and classes (4,); the scores are of order 1."""
    rng = np.random.default_rng(SEED)
    w = 0.1 * rng.standard_normal(parameter_count(network.shapes(image, CLASSES, pad)))
    X = rng.standard_normal((4, int(np.prod(image))))
    return w, X, np.array([1, 3, 2, 3])


def loss_at(network: ModuleType, image: Image, pad: int) -> Callable[[Floats], float]:
    _, X, y = problem(network, image, pad)
    return lambda w: softmax_cross_entropy(network.forward(w, X, image, CLASSES, pad), y)[0]


def directions(sizes: list[int]) -> list[Floats]:
    """Unit vectors (P,): for each array one along all its parameters, and some along a single one each."""
    rng = np.random.default_rng(SEED)
    vectors = []
    for end, size in zip(np.cumsum(sizes), sizes, strict=True):
        whole = np.zeros(sum(sizes))
        whole[end - size : end] = rng.choice([-1, 1], size) / np.sqrt(size)
        vectors.append(whole)
        for index in rng.choice(size, min(size, PROBES), replace=False):
            single = np.zeros(sum(sizes))
            single[end - size + index] = 1
            vectors.append(single)
    return vectors


@pytest.mark.parametrize(("network", "image", "pad"), NETWORKS, ids=NETWORK_IDS)
def test_gradient_is_the_central_difference(network: ModuleType, image: Image, pad: int) -> None:
    w, X, y = problem(network, image, pad)
    g, _, _ = network.gradient(w, X, y, image, CLASSES, pad)
    loss = loss_at(network, image, pad)
    probes = directions([rows * cols for rows, cols, _ in network.shapes(image, CLASSES, pad)])
    difference = [(loss(w + STEP * d) - loss(w - STEP * d)) / (2 * STEP) for d in probes]
    np.testing.assert_allclose([g @ d for d in probes], difference, rtol=0, atol=GRADIENT_TOLERANCE)


@pytest.mark.parametrize(("network", "image", "pad"), NETWORKS, ids=NETWORK_IDS)
def test_gradient_loss_and_count_are_sums_over_rows(network: ModuleType, image: Image, pad: int) -> None:
    w, X, y = problem(network, image, pad)
    whole = network.gradient(w, X, y, image, CLASSES, pad)
    parts = [network.gradient(w, X[[n]], y[[n]], image, CLASSES, pad) for n in range(len(y))]
    np.testing.assert_allclose(whole[0], sum(g for g, _, _ in parts), rtol=0, atol=EXACT * 10)
    assert whole[1] == pytest.approx(sum(loss for _, loss, _ in parts), abs=EXACT * 10)
    assert whole[2] == sum(correct for _, _, correct in parts)


@pytest.mark.parametrize(
    ("network", "pad", "P"),
    [(lenet, 2, 107786), (lenet, 0, 44426), (softmax, 2, 7850), (softmax, 0, 7850), (mlp, 2, 235146)],
)
def test_parameter_count_on_mnist(network: ModuleType, pad: int, P: int) -> None:
    assert parameter_count(network.shapes((1, 28, 28), 10, pad)) == P


def test_arrays_of_lenet() -> None:
    assert lenet.shapes((3, 16, 18), 7, 2) == [
        (6, 75, 1), (6, 1, 1), (16, 150, 2), (16, 1, 2), (16 * 4 * 4, 120, 3), (1, 120, 3),
        (120, 84, 4), (1, 84, 4), (84, 7, 5), (1, 7, 5),
    ]  # fmt: skip


@pytest.mark.parametrize(("side", "pad"), [(15, 0), (7, 0), (3, 0), (3, 2)])
def test_image_too_small_for_lenet(side: int, pad: int) -> None:
    lenet.shapes((1, 16, 16), 10, 0)
    lenet.shapes((1, 4, 4), 10, 2)
    with pytest.raises(ValueError, match="too small"):
        lenet.shapes((1, side, 16), 10, pad)
    with pytest.raises(ValueError, match="too small"):
        lenet.shapes((1, 16, side), 10, pad)


def test_unstack_is_row_by_row_and_stack_its_inverse() -> None:
    w = np.arange(8.0)
    W, b = unstack(w, [(2, 3, 1), (2, 1, 1)])
    assert W.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert b.tolist() == [[6], [7]]
    np.testing.assert_array_equal(stack([W, b]), w)


@pytest.mark.parametrize("pad", [0, 2])
def test_convolution_is_its_definition(pad: int) -> None:
    N, C, H, W, filters = 2, 3, 6, 7, 4
    rng = np.random.default_rng(SEED)
    A, F = rng.standard_normal((N, C, H, W)), rng.standard_normal((filters, C * 25))
    b = rng.standard_normal((filters, 1))
    expected = np.zeros((N, filters, H + 2 * pad - 4, W + 2 * pad - 4))
    for n, f, h, w in np.ndindex(expected.shape):
        expected[n, f, h, w] = b[f, 0]
        for c, i, j in np.ndindex(C, 5, 5):
            if 0 <= h + i - pad < H and 0 <= w + j - pad < W:
                expected[n, f, h, w] += A[n, c, h + i - pad, w + j - pad] * F[f, c * 25 + i * 5 + j]
    np.testing.assert_allclose(forward.convolve(A, F, b, pad), expected, rtol=0, atol=EXACT * 10)


def test_max_pool_takes_the_first_maximum_and_drops_odd_ends() -> None:
    A = np.array([[1, 2, 5, 5, 9], [3, 0, 5, 5, 9], [4, 4, 0, 6, 9], [4, 0, 6, 0, 9], [9, 9, 9, 9, 9]], float)
    assert forward.max_pool(A[None, None]).tolist() == [[[[3, 5], [4, 6]]]]
    dA = lenet.max_pool_gradient(np.array([[[[10.0, 20.0], [30.0, 40.0]]]]), A[None, None])
    assert dA[0, 0].tolist() == [
        [0, 0, 20, 0, 0],
        [10, 0, 0, 0, 0],
        [30, 0, 0, 40, 0],
        [0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0],
    ]


@pytest.mark.parametrize(
    ("channel", "f", "row", "col"), [(0, 0, 0, 0), (1, 15, 1, 2), (1, 3, 0, 2), (0, 4, 1, 0)]
)
def test_lenet_reads_an_image_by_channel_row_column(channel: int, f: int, row: int, col: int) -> None:
    """Parameters that hand one block of one channel through: the score is the block's maximum."""
    image = (2, 8, 12)
    shapes = lenet.shapes(image, CLASSES, 2)
    arrays = [np.zeros((rows, cols)) for rows, cols, _ in shapes]
    W1, _, W2, _, W3, _, W4, _, W5, _ = arrays
    centre = 12  # of 5x5
    W1[5, channel * 25 + centre] = 1
    W2[f, 5 * 25 + centre] = 1
    W3[(f * 2 + row) * 3 + col, 7] = 1
    W4[7, 9] = 1
    W5[9, 1] = 1
    X = np.random.default_rng(SEED).random((2, 2 * 8 * 12))
    blocks = X.reshape(2, *image)[:, channel, row * 4 : row * 4 + 4, col * 4 : col * 4 + 4]
    scores = lenet.forward(stack(arrays), X, image, CLASSES, 2)
    np.testing.assert_array_equal(scores[:, 1], blocks.max(axis=(1, 2)))
    assert not scores[:, [0, 2]].any()


def test_no_gradient_through_a_pooled_zero() -> None:
    """First filters and biases of zero: that layer puts out zeros and doesn't learn. The second does."""
    image, pad = (1, 8, 10), 2
    w, X, y = problem(lenet, image, pad)
    shapes = lenet.shapes(image, CLASSES, pad)
    arrays = unstack(w, shapes)
    arrays[0], arrays[1], arrays[3] = 0 * arrays[0], 0 * arrays[1], np.abs(arrays[3])
    g = unstack(lenet.gradient(stack(arrays), X, y, image, CLASSES, pad)[0], shapes)
    assert not g[0].any()
    assert not g[1].any()
    assert g[3].all()


def test_softmax_scores_by_hand() -> None:
    """Two pixels, three classes."""
    w = np.array([1, 2, 3, 4, 5, 6, 0.1, 0.2, 0.3])
    scores = softmax.forward(w, np.array([[1.0, 10.0]]), (1, 1, 2), 3, 0)
    np.testing.assert_allclose(scores, [[41.1, 52.2, 63.3]], rtol=EXACT)


def test_cross_entropy_by_hand() -> None:
    """Softmax (1/4, 3/4) and (1/2, 1/2); the tie counts for the first class."""
    scores = np.array([[0, np.log(3)], [7, 7]])
    loss, correct, dscores = softmax_cross_entropy(scores, np.array([2, 1]))
    assert loss == pytest.approx(np.log(4 / 3) + np.log(2), abs=EXACT)
    assert correct == 2
    np.testing.assert_allclose(dscores, [[0.25, -0.25], [-0.5, 0.5]], atol=EXACT)
    assert softmax_cross_entropy(scores, np.array([1, 2]))[1] == 0


def test_cross_entropy_of_huge_scores() -> None:
    loss, _, dscores = softmax_cross_entropy(np.array([[1e4, 0.0], [0.0, -1e4]]), np.array([2, 1]))
    assert loss == 1e4
    assert dscores.tolist() == [[1, -1], [0, 0]]


PEAK = 0.4
WARM = {"rate": PEAK, "warmup": 4, "total": 104}  # T = 100
COLD = {"rate": PEAK, "warmup": 0, "total": 100}
CONSTANT = {"schedule": "constant"}
INVERSE_TIME = {"schedule": "inverse_time", "decay": 0.5}
POLYNOMIAL = {"schedule": "polynomial", "power": 2, "end_rate": 0.1}
COSINE = {"schedule": "cosine", "end_rate": 0.1}
MULTI_STEP = {"schedule": "multi_step", "factor": 0.1, "milestones": [0.5, 0.75]}
# The rate at counts s of the schedule itself.
COUNTED: list[tuple[dict[str, Any], int, float]] = [
    (CONSTANT, 0, 0.4),
    (CONSTANT, 1000, 0.4),
    (INVERSE_TIME, 0, 0.4),
    (INVERSE_TIME, 1, 0.4 / 1.5),
    (INVERSE_TIME, 2, 0.2),
    (INVERSE_TIME, 198, 0.004),
    (POLYNOMIAL, 0, 0.4),
    (POLYNOMIAL, 1, 0.1 + 0.3 * 0.9801),
    (POLYNOMIAL, 50, 0.1 + 0.3 * 0.25),
    (POLYNOMIAL, 99, 0.1 + 0.3 * 0.0001),
    (POLYNOMIAL, 100, 0.1),
    (POLYNOMIAL, 101, 0.1),
    (COSINE, 0, 0.4),
    (COSINE, 25, 0.25 + 0.15 / 2**0.5),
    (COSINE, 50, 0.25),
    (COSINE, 100, 0.1),
    (COSINE, 101, 0.1),
    (MULTI_STEP, 0, 0.4),
    (MULTI_STEP, 49, 0.4),
    (MULTI_STEP, 50, 0.04),
    (MULTI_STEP, 74, 0.04),
    (MULTI_STEP, 75, 0.004),
    (MULTI_STEP, 1000, 0.004),
]


@pytest.mark.parametrize(("schedule", "s", "expected"), COUNTED)
def test_schedule_from_the_start_and_after_warm_up(schedule: dict[str, Any], s: int, expected: float) -> None:
    assert schedules.rate(COLD | schedule, s) == pytest.approx(expected, rel=EXACT)
    assert schedules.rate(WARM | schedule, s + 4) == pytest.approx(expected, rel=EXACT)


@pytest.mark.parametrize("schedule", [CONSTANT, INVERSE_TIME, POLYNOMIAL, COSINE, MULTI_STEP])
def test_warm_up_climbs_to_the_peak_which_two_updates_then_have(schedule: dict[str, Any]) -> None:
    rates = [schedules.rate(WARM | schedule, t) for t in range(5)]
    assert rates == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4], rel=EXACT)


@pytest.mark.parametrize("name", optimizers.TWINS)
def test_step_by_hand(name: str) -> None:
    twin = optimizers.TWINS[name]
    w, state, ratio = twin.step(
        W, G, V[:, : twin.STATE_COLUMNS], 1, RATE, GROUPS, HYPER | optimizers.own_settings(name)
    )
    new_w, new_v, new_ratio = twin.BY_HAND
    np.testing.assert_allclose(w, new_w, rtol=0, atol=EXACT)
    np.testing.assert_allclose(state.ravel(), new_v, rtol=0, atol=EXACT)
    np.testing.assert_allclose(ratio, new_ratio, rtol=0, atol=EXACT)
    assert state.shape == (3, twin.STATE_COLUMNS)


@pytest.mark.parametrize("name", optimizers.TWINS)
def test_zero_rate_from_the_initial_state_is_a_no_op(name: str) -> None:
    state = optimizers.initial_state(name, len(W))
    twin = optimizers.TWINS[name]
    w, new_state, _ = twin.step(W, G, state, 1, 0.0, GROUPS, HYPER | optimizers.own_settings(name))
    np.testing.assert_array_equal(w, W)
    if "rates in the state" in twin.LAWS:  # means of the gradients know no rate
        np.testing.assert_array_equal(new_state, state)


@pytest.mark.parametrize("name", optimizers.TWINS)
def test_step_leaves_its_arguments_alone(name: str) -> None:
    twin = optimizers.TWINS[name]
    w, g, state = W.copy(), G.copy(), V[:, : twin.STATE_COLUMNS].copy()
    twin.step(w, g, state, 1, RATE, GROUPS, HYPER | optimizers.own_settings(name))
    np.testing.assert_array_equal(w, W)
    np.testing.assert_array_equal(g, G)
    np.testing.assert_array_equal(state, V[:, : state.shape[1]])


@pytest.mark.parametrize("zero", ["w", "g"])
def test_lars_ratio_is_one_where_a_norm_is_zero(zero: str) -> None:
    """The first group only: the second has norms of 2 and 1 and ratio 0.2*2 / (1 + 0.1*2) = 1/3."""
    w, g = W.copy(), G.copy()
    (w if zero == "w" else g)[:2] = 0
    both_adapt = np.array([[1, 2, 1], [3, 3, 1]])
    new_w, _, ratio = optimizers.TWINS["lars"].step(
        w, g, optimizers.initial_state("lars", 3), 1, RATE, both_adapt, HYPER
    )
    np.testing.assert_allclose(ratio, [1, 1 / 3], rtol=EXACT)
    expected = [0, -4, 1.2] if zero == "w" else [3 - 0.6, 4 - 0.8, 1.2]
    np.testing.assert_allclose(new_w, expected, rtol=0, atol=EXACT)


# The padded LeNet of MNIST, in lines of begin, end, adapt.
LAYERS = [(1, 156, 1), (157, 2572, 1), (2573, 96772, 1), (96773, 106936, 1), (106937, 107786, 1)]
ARRAYS = [
    (1, 150), (151, 156), (157, 2556), (2557, 2572), (2573, 96652), (96653, 96772), (96773, 106852),
    (106853, 106936), (106937, 107776), (107777, 107786),
]  # fmt: skip
ALL_ADAPT = [(begin, end, 1) for begin, end in ARRAYS]
WEIGHTS_ADAPT = [(begin, end, 1 - number % 2) for number, (begin, end) in enumerate(ARRAYS)]


@pytest.mark.parametrize(
    ("scope", "adapt_biases", "expected"),
    [
        ("layer", True, LAYERS),
        ("layer", False, WEIGHTS_ADAPT),
        ("parameter", True, ALL_ADAPT),
        ("parameter", False, WEIGHTS_ADAPT),
    ],
)
def test_groups_of_lenet(
    scope: Literal["layer", "parameter"], adapt_biases: bool, expected: list[tuple[int, int, int]]
) -> None:
    found = optimizers.groups(lenet.shapes((1, 28, 28), 10, 2), scope, adapt_biases)
    np.testing.assert_array_equal(found, expected)


def test_a_bias_is_the_second_array_of_its_layer_and_a_single_row_or_column() -> None:
    """A weight of one column, its bias, a layer of two weights, and a third vector."""
    shapes = [(4, 1, 1), (1, 1, 1), (2, 2, 2), (2, 3, 2), (1, 3, 2)]
    assert optimizers.groups(shapes, "parameter", adapt_biases=False)[:, 2].tolist() == [1, 0, 1, 1, 1]
    assert optimizers.groups(shapes, "layer", adapt_biases=False).tolist() == [
        [1, 4, 1],
        [5, 5, 0],
        [6, 18, 1],
    ]
