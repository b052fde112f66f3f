"""Optimizers in DML: arithmetic against NumPy twins, and the same laws for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

from tests.harness import DML, Matrix
from tests.reference import Floats, Shapes, optimizers, parameter_count

pytestmark = pytest.mark.systemds

# A few roundings, relatively: the same formulas in double precision.
ROUNDING = 1e-12
SEED = 11
STEPS = 5

Scope = Literal["layer", "parameter"]


class Variant(NamedTuple):
    """An optimizer, and what it adapts separately."""

    optimizer: str
    scope: Scope = "layer"
    adapt_biases: bool = True


VARIANTS = [
    Variant(name, scope, adapt_biases)
    for name in ("sgd", "sgd_momentum", "lars")
    for scope in ("layer", "parameter")
    for adapt_biases in (True, False)
]
every_variant = pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: f"{v[0]}-{v[1]}-{v[2]}")

SHAPES: Shapes = [(2, 6, 1), (2, 1, 1), (3, 4, 2), (1, 4, 2), (4, 5, 3), (1, 5, 3)]
INPUTS = [6, 0, 3, 0, 4, 0]
P = parameter_count(SHAPES)
ENDS = np.cumsum([rows * cols for rows, cols, _ in SHAPES])
BIASES = np.concatenate([np.arange(begin, end) for begin, end in zip(ENDS[::2], ENDS[1::2], strict=True)])
HYPER = {"momentum": 0.9, "weight_decay": 0.01, "trust_coefficient": 0.05}
NO_DECAY = {"weight_decay": 0.0}
RATES = np.array([0.5, 0.1, 2.0, 0.3, 1.0])


class Problem(NamedTuple):
    """Weights (P,) and the gradient (P,) of each step, as columns."""

    w: Floats
    gradients: Floats


class Steps(NamedTuple):
    """What DML gives: groups, and a column after each step."""

    G: Matrix
    weights: Matrix
    states: Matrix
    ratios: Matrix


@pytest.fixture
def problem() -> Problem:
    rng = np.random.default_rng(SEED)
    return Problem(rng.standard_normal(P), rng.normal(0, 3, (P, STEPS)))


def steps(
    dml: DML,
    variant: Variant,
    problem: Problem,
    rates: npt.ArrayLike = RATES,
    hyper: Mapping[str, float] = HYPER,
    inputs: list[int] = INPUTS,
) -> Steps:
    """Consecutive steps in DML."""
    found = dml.call(
        "steps.dml",
        {
            "S": np.column_stack([SHAPES, inputs]),
            "w": problem.w[:, None],
            "gradients": problem.gradients,
            "rates": np.reshape(rates, (-1, 1)),
        },
        ("G", "weights", "states", "ratios"),
        optimizer=variant.optimizer,
        by_layer=variant.scope == "layer",
        adapt_biases=variant.adapt_biases,
        **(HYPER | dict(hyper)),
    )
    return Steps(**found)


@every_variant
def test_steps_equal_the_twins(dml: DML, variant: Variant, problem: Problem) -> None:
    found = steps(dml, variant, problem)
    name, groups = variant.optimizer, optimizers.groups(SHAPES, variant.scope, variant.adapt_biases)
    np.testing.assert_array_equal(found.G[:, :3], groups)
    w, state = problem.w, optimizers.initial_state(name, P)
    for t in range(STEPS):
        w, state, ratio = optimizers.step(name, w, problem.gradients[:, t], state, t, RATES[t], groups, HYPER)
        np.testing.assert_allclose(found.weights[:, t], w, rtol=ROUNDING, atol=ROUNDING)
        np.testing.assert_allclose(
            found.states[:, [t]][:, : state.shape[1]], state, rtol=ROUNDING, atol=ROUNDING
        )
        np.testing.assert_allclose(found.ratios[:, t], ratio, rtol=ROUNDING)


@every_variant
def test_a_rate_of_zero_changes_no_weight(dml: DML, variant: Variant, problem: Problem) -> None:
    found = steps(dml, variant, problem, rates=np.zeros(STEPS))
    np.testing.assert_array_equal(found.weights, np.repeat(problem.w[:, None], STEPS, axis=1))


@every_variant
def test_no_gradient_and_no_decay_change_no_weight(dml: DML, variant: Variant, problem: Problem) -> None:
    found = steps(dml, variant, Problem(problem.w, np.zeros((P, STEPS))), hyper=NO_DECAY)
    np.testing.assert_array_equal(found.weights, np.repeat(problem.w[:, None], STEPS, axis=1))


@every_variant
def test_weight_decay_shrinks_weights_without_gradient(dml: DML, variant: Variant, problem: Problem) -> None:
    """The first step with rate 1/2: also under LARS, whose ratio is 1 where the gradient is zero."""
    found = steps(dml, variant, Problem(problem.w, np.zeros((P, STEPS))))
    np.testing.assert_allclose(
        found.weights[:, 0], problem.w * (1 - 0.5 * HYPER["weight_decay"]), rtol=ROUNDING
    )


@every_variant
def test_momentum_of_zero_is_plain_descent_at_the_groups_rates(
    dml: DML, variant: Variant, problem: Problem
) -> None:
    found = steps(dml, variant, problem, hyper={"momentum": 0.0})
    before = np.column_stack([problem.w, found.weights[:, :-1]])
    lengths = (found.G[:, 1] - found.G[:, 0] + 1).astype(int)
    ratios = np.repeat(found.ratios, lengths, axis=0)
    expected = before - RATES * ratios * (problem.gradients + HYPER["weight_decay"] * before)
    np.testing.assert_allclose(found.weights, expected, rtol=ROUNDING, atol=ROUNDING)


@pytest.mark.parametrize("scope", ["layer", "parameter"])
def test_lars_that_adapts_nothing_is_sgd_with_momentum(dml: DML, scope: Scope, problem: Problem) -> None:
    """To the last bit; all arrays are called biases, and biases do not adapt."""
    lars, momentum = (
        steps(dml, Variant(name, scope, adapt_biases=False), problem, inputs=[0] * len(INPUTS))
        for name in ("lars", "sgd_momentum")
    )
    np.testing.assert_array_equal(lars.ratios, 1)
    np.testing.assert_array_equal(lars.weights, momentum.weights)
    np.testing.assert_array_equal(lars.states, momentum.states)


@pytest.mark.parametrize("scope", ["layer", "parameter"])
def test_lars_step_does_not_depend_on_the_scale_of_the_gradient(
    dml: DML, scope: Scope, problem: Problem
) -> None:
    variant = Variant("lars", scope)
    once = steps(dml, variant, problem, hyper=NO_DECAY)
    tenfold = steps(dml, variant, Problem(problem.w, 10 * problem.gradients), hyper=NO_DECAY)
    np.testing.assert_allclose(tenfold.weights, once.weights, rtol=ROUNDING, atol=ROUNDING)
    np.testing.assert_allclose(10 * tenfold.ratios, once.ratios, rtol=ROUNDING)


def test_lars_first_step_moves_each_layer_by_the_trust_coefficient_of_its_norm(
    dml: DML, problem: Problem
) -> None:
    found = steps(dml, Variant("lars"), problem, hyper=NO_DECAY)
    for first, last in found.G[:, :2].astype(int):
        part = slice(first - 1, last)
        moved = np.linalg.norm(found.weights[part, 0] - problem.w[part])
        expected = RATES[0] * HYPER["trust_coefficient"] * np.linalg.norm(problem.w[part])
        assert moved == pytest.approx(expected, rel=ROUNDING)


@pytest.mark.parametrize("adapt_biases", [True, False])
@pytest.mark.parametrize("scope", ["layer", "parameter"])
def test_biases_that_start_at_zero_learn_under_lars(
    dml: DML, scope: Scope, adapt_biases: bool, problem: Problem
) -> None:
    w = problem.w.copy()
    w[BIASES] = 0
    found = steps(dml, Variant("lars", scope, adapt_biases), Problem(w, problem.gradients))
    assert found.weights[BIASES].all()
    shared = scope == "layer" and adapt_biases
    rate = np.repeat(found.ratios[:, 0], [2, 4, 5]) if shared else np.ones(len(BIASES))
    np.testing.assert_allclose(
        found.weights[BIASES, 0], -RATES[0] * rate * problem.gradients[BIASES, 0], rtol=ROUNDING
    )


@pytest.mark.parametrize("zero", ["w", "g", "both"])
@pytest.mark.parametrize("scope", ["layer", "parameter"])
def test_lars_ratio_is_one_where_a_norm_is_zero(dml: DML, scope: Scope, zero: str, problem: Problem) -> None:
    """The first group only."""
    w, gradients = problem.w.copy(), problem.gradients.copy()
    first_group = slice(0, ENDS[1] if scope == "layer" else ENDS[0])
    if zero != "g":
        w[first_group] = 0
    if zero != "w":
        gradients[first_group] = 0
    ratios = steps(dml, Variant("lars", scope), Problem(w, gradients)).ratios[:, 0]
    assert ratios[0] == 1
    assert (ratios[1:] < 1).all()


@pytest.mark.parametrize("optimizer", ["sgd", "sgd_momentum"])
def test_plain_optimizers_report_ratios_of_one(dml: DML, optimizer: str, problem: Problem) -> None:
    found = steps(dml, Variant(optimizer), problem)
    assert found.ratios.shape == (3, STEPS)
    np.testing.assert_array_equal(found.ratios, 1)


@pytest.mark.parametrize(
    ("scope", "adapt_biases", "layers"),
    [
        ("layer", True, [1, 2, 3]),
        ("layer", False, [1, 1, 2, 2, 3, 3]),
        ("parameter", True, [1, 1, 2, 2, 3, 3]),
        ("parameter", False, [1, 1, 2, 2, 3, 3]),
    ],
)
def test_groups_name_their_layer(
    dml: DML, scope: Scope, adapt_biases: bool, layers: list[int], problem: Problem
) -> None:
    assert steps(dml, Variant("sgd", scope, adapt_biases), problem).G[:, 3].tolist() == layers
