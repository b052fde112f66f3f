"""Optimizers in DML: arithmetic against NumPy twins, and the same laws for each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

import numpy as np
import pytest

from largebatch.files.names import Argument
from largebatch.settings.optimizers import OPTIMIZERS
from tests.reference import Floats, Shapes, optimizers, parameter_count
from tests.support.harness import DML, Matrix

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
    for name in OPTIMIZERS
    for scope in ("layer", "parameter")
    for adapt_biases in (True, False)
]
SHAPES: Shapes = [(2, 6, 1), (2, 1, 1), (3, 4, 2), (1, 4, 2), (4, 5, 3), (1, 5, 3)]
INPUTS = [6, 0, 3, 0, 4, 0]
P = parameter_count(SHAPES)
ENDS = np.cumsum([rows * cols for rows, cols, _ in SHAPES])
BIASES = np.concatenate([np.arange(begin, end) for begin, end in zip(ENDS[::2], ENDS[1::2], strict=True)])
HYPER = {
    "momentum": 0.9, "weight_decay": 0.01, "trust_coefficient": 0.05,
    "beta1": 0.8, "beta2": 0.9, "epsilon": 1e-3,
}  # fmt: skip
NO_DECAY = HYPER | {"weight_decay": 0.0}
RATES = np.array([0.5, 0.1, 2.0, 0.3, 1.0])


class Problem(NamedTuple):
    """Weights (P,), the gradient (P,) of each step, as columns, and the rate of each; the settings."""

    w: Floats
    gradients: Floats
    rates: Floats = RATES
    hyper: dict[str, float] = HYPER


class Steps(NamedTuple):
    """What DML gives: groups, and a column after each step."""

    G: Matrix
    weights: Matrix
    states: Matrix
    ratios: Matrix


RNG = np.random.default_rng(SEED)
PLAIN = Problem(RNG.standard_normal(P), RNG.normal(0, 3, (P, STEPS)))
STILL = PLAIN._replace(gradients=np.zeros((P, STEPS)))
PROBLEMS = {
    "plain": PLAIN,
    "rate of zero": PLAIN._replace(rates=np.zeros(STEPS)),
    "decay alone": STILL,
    "neither gradient nor decay": STILL._replace(hyper=NO_DECAY),
    "momentum of zero": PLAIN._replace(hyper=HYPER | {"momentum": 0.0}),
}


def steps(
    dml: DML,
    variant: Variant,
    *problems: Problem,
    inputs: list[int] = INPUTS,
    more: Mapping[str, Argument] = MappingProxyType({}),
) -> list[Steps]:
    """Consecutive steps in DML, in each problem from its start: a call for all that share their settings."""
    found: dict[int, Steps] = {}
    for hyper in {tuple(problem.hyper.items()) for problem in problems}:
        alike = [number for number, problem in enumerate(problems) if tuple(problem.hyper.items()) == hyper]
        arguments: dict[str, Argument] = {**dict(hyper), **more}
        together = _steps_alike(dml, variant, [problems[number] for number in alike], inputs, arguments)
        found |= zip(alike, together, strict=True)
    return [found[number] for number in range(len(problems))]


def _steps_alike(
    dml: DML, variant: Variant, problems: list[Problem], inputs: list[int], arguments: dict[str, Argument]
) -> list[Steps]:
    found = dml.call(
        "steps.dml",
        {
            "S": np.column_stack([SHAPES, inputs, inputs]),
            "w": np.column_stack([problem.w for problem in problems]),
            "gradients": np.hstack([problem.gradients for problem in problems]),
            "rates": np.column_stack([problem.rates for problem in problems]),
        },
        Steps._fields,
        optimizer=variant.optimizer,
        scope=variant.scope,
        adapt_biases=variant.adapt_biases,
        **optimizers.own_settings(variant.optimizer) | arguments,
    )
    G = found.pop("G")
    parts = [np.hsplit(found[name], len(problems)) for name in Steps._fields[1:]]
    return [Steps(G, *of_problem) for of_problem in zip(*parts, strict=True)]


@pytest.fixture(scope="module", params=VARIANTS, ids=lambda v: f"{v[0]}-{v[1]}-{v[2]}")
def variant(request: pytest.FixtureRequest) -> Variant:
    given: Variant = request.param
    return given


def lawful(law: str) -> pytest.MarkDecorator:
    """The variants of the optimizers whose twins say that a law holds."""
    holding = [v for v in VARIANTS if law in optimizers.TWINS[v.optimizer].LAWS]
    return pytest.mark.parametrize("variant", holding, ids=lambda v: f"{v[0]}-{v[1]}-{v[2]}", indirect=True)


@pytest.fixture(scope="module")
def found(dml: DML, variant: Variant) -> dict[str, Steps]:
    """The variant's steps in PROBLEMS."""
    return dict(zip(PROBLEMS, steps(dml, variant, *PROBLEMS.values()), strict=True))


# ---- laws for all of them ----


def test_steps_equal_the_twins(variant: Variant, found: dict[str, Steps]) -> None:
    plain = found["plain"]
    name, groups = variant.optimizer, optimizers.groups(SHAPES, variant.scope, variant.adapt_biases)
    np.testing.assert_array_equal(plain.G[:, :3], groups)
    twin, w, state = optimizers.TWINS[name], PLAIN.w, optimizers.initial_state(name, P)
    for t in range(STEPS):
        gradient, hyper = PLAIN.gradients[:, t], HYPER | optimizers.own_settings(name)
        w, state, ratio = twin.step(w, gradient, state, t + 1, RATES[t], groups, hyper)
        np.testing.assert_allclose(plain.weights[:, t], w, rtol=ROUNDING, atol=ROUNDING)
        kept = plain.states[:, t].reshape(P, -1)[:, : twin.STATE_COLUMNS]
        np.testing.assert_allclose(kept, state, rtol=ROUNDING, atol=ROUNDING)
        np.testing.assert_allclose(plain.ratios[:, t], ratio, rtol=ROUNDING)


@pytest.mark.parametrize("problem", ["rate of zero", "neither gradient nor decay"])
def test_without_a_reason_no_weight_changes(found: dict[str, Steps], problem: str) -> None:
    unchanged = np.repeat(PLAIN.w[:, None], STEPS, axis=1)
    np.testing.assert_array_equal(found[problem].weights, unchanged)


# ---- laws for those of some kind ----


@lawful("decay shrinks")
def test_weight_decay_shrinks_weights_without_gradient(found: dict[str, Steps]) -> None:
    """The first step with rate 1/2: also under LARS, whose ratio is 1 where the gradient is zero."""
    first = found["decay alone"].weights[:, 0]
    np.testing.assert_allclose(first, PLAIN.w * (1 - 0.5 * HYPER["weight_decay"]), rtol=ROUNDING)


@lawful("plain descent without momentum")
def test_momentum_of_zero_is_plain_descent_at_the_groups_rates(found: dict[str, Steps]) -> None:
    G, weights, _, ratios = found["momentum of zero"]
    before = np.column_stack([PLAIN.w, weights[:, :-1]])
    lengths = (G[:, 1] - G[:, 0] + 1).astype(int)
    rates = RATES * np.repeat(ratios, lengths, axis=0)
    expected = before - rates * (PLAIN.gradients + HYPER["weight_decay"] * before)
    np.testing.assert_allclose(weights, expected, rtol=ROUNDING, atol=ROUNDING)


@lawful("ratios of one")
def test_plain_optimizers_report_ratios_of_one(found: dict[str, Steps]) -> None:
    np.testing.assert_array_equal(found["plain"].ratios, 1)


def test_groups_name_their_layer(variant: Variant, found: dict[str, Steps]) -> None:
    together = variant.scope == "layer" and variant.adapt_biases
    assert found["plain"].G[:, 3].tolist() == ([1, 2, 3] if together else [1, 1, 2, 2, 3, 3])


# ---- LARS ----


@pytest.mark.parametrize("scope", ["layer", "parameter"])
def test_lars_that_adapts_nothing_is_sgd_with_momentum(dml: DML, scope: Scope) -> None:
    """To the last bit; all arrays are called biases, and biases do not adapt."""
    (lars,), (momentum,) = (
        steps(dml, Variant(name, scope, adapt_biases=False), PLAIN, inputs=[0] * len(INPUTS))
        for name in ("lars", "sgd_momentum")
    )
    np.testing.assert_array_equal(lars.ratios, 1)
    np.testing.assert_array_equal(lars.weights, momentum.weights)
    np.testing.assert_array_equal(lars.states, momentum.states)


@pytest.mark.parametrize("scope", ["layer", "parameter"])
def test_lars_step_does_not_depend_on_the_scale_of_the_gradient(dml: DML, scope: Scope) -> None:
    problem = PLAIN._replace(hyper=NO_DECAY)
    once, tenfold = steps(
        dml, Variant("lars", scope), problem, problem._replace(gradients=10 * problem.gradients)
    )
    np.testing.assert_allclose(tenfold.weights, once.weights, rtol=ROUNDING, atol=ROUNDING)
    np.testing.assert_allclose(10 * tenfold.ratios, once.ratios, rtol=ROUNDING)


def test_lars_first_step_moves_each_layer_by_the_trust_coefficient_of_its_norm(dml: DML) -> None:
    (found,) = steps(dml, Variant("lars"), PLAIN._replace(hyper=NO_DECAY))
    for first, last in found.G[:, :2].astype(int):
        part = slice(first - 1, last)
        moved = np.linalg.norm(found.weights[part, 0] - PLAIN.w[part])
        expected = RATES[0] * HYPER["trust_coefficient"] * np.linalg.norm(PLAIN.w[part])
        assert moved == pytest.approx(expected, rel=ROUNDING)


@pytest.mark.parametrize("adapt_biases", [True, False])
@pytest.mark.parametrize("scope", ["layer", "parameter"])
def test_biases_that_start_at_zero_learn_under_lars(dml: DML, scope: Scope, adapt_biases: bool) -> None:
    w = PLAIN.w.copy()
    w[BIASES] = 0
    (found,) = steps(dml, Variant("lars", scope, adapt_biases), PLAIN._replace(w=w))
    assert found.weights[BIASES].all()
    shared = scope == "layer" and adapt_biases
    rate = np.repeat(found.ratios[:, 0], [2, 4, 5]) if shared else np.ones(len(BIASES))
    np.testing.assert_allclose(
        found.weights[BIASES, 0], -RATES[0] * rate * PLAIN.gradients[BIASES, 0], rtol=ROUNDING
    )


@pytest.mark.parametrize("scope", ["layer", "parameter"])
def test_lars_ratio_is_one_where_a_norm_is_zero(dml: DML, scope: Scope) -> None:
    """The first group only: of its weights, its gradients, both."""
    w, gradients = PLAIN.w.copy(), PLAIN.gradients.copy()
    first_group = slice(0, ENDS[1] if scope == "layer" else ENDS[0])
    w[first_group] = gradients[first_group] = 0
    zeros = (
        PLAIN._replace(w=w),
        PLAIN._replace(gradients=gradients),
        PLAIN._replace(w=w, gradients=gradients),
    )
    for found in steps(dml, Variant("lars", scope), *zeros):
        assert found.ratios[0, 0] == 1
        assert (found.ratios[1:, 0] < 1).all()


@pytest.mark.parametrize("scope", ["layer", "parameter"])
def test_lars_with_the_joint_denominator_equals_its_formula(dml: DML, scope: Scope) -> None:
    (found,) = steps(dml, Variant("lars", scope), PLAIN, more={"denominator": "joint"})
    w, g, eta, beta = PLAIN.w, PLAIN.gradients[:, 0], HYPER["trust_coefficient"], HYPER["weight_decay"]
    for number, (first, last) in enumerate(found.G[:, :2].astype(int)):
        part = slice(first - 1, last)
        ratio = eta * np.linalg.norm(w[part]) / np.linalg.norm(g[part] + beta * w[part])
        assert found.ratios[number, 0] == pytest.approx(ratio, rel=ROUNDING)


# ---- one optimizer as a case of another ----


def assert_same_steps(found: Steps, expected: Steps, *, states: bool = True) -> None:
    """To the last bit."""
    np.testing.assert_array_equal(found.weights, expected.weights)
    if states:
        np.testing.assert_array_equal(found.states, expected.states)


def test_lamb_that_adapts_nothing_is_adamw(dml: DML) -> None:
    """All arrays are called biases, and biases do not adapt."""
    (lamb,), (adamw,) = (
        steps(dml, Variant(name, adapt_biases=False), PLAIN, inputs=[0] * len(INPUTS))
        for name in ("lamb", "adamw")
    )
    np.testing.assert_array_equal(lamb.ratios, 1)
    np.testing.assert_allclose(lamb.weights, adamw.weights, rtol=ROUNDING, atol=ROUNDING)


def test_adamw_without_decay_is_adam(dml: DML) -> None:
    problem = PLAIN._replace(hyper=NO_DECAY)
    (adamw,), (adam,) = (steps(dml, Variant(name), problem) for name in ("adamw", "adam"))
    assert_same_steps(adamw, adam)


def test_nesterov_without_momentum_is_sgd(dml: DML) -> None:
    problem = PLAIN._replace(hyper=HYPER | {"momentum": 0.0})
    (nesterov,), (sgd,) = (steps(dml, Variant(name), problem) for name in ("nesterov", "sgd"))
    np.testing.assert_allclose(nesterov.weights, sgd.weights, rtol=ROUNDING, atol=ROUNDING)


def test_bias_correction_makes_the_first_step_of_adam_the_sign_of_the_gradient(dml: DML) -> None:
    """With a tiny epsilon: m / (1 - beta1) = g and v / (1 - beta2) = g^2."""
    hyper = NO_DECAY | {"epsilon": 1e-12}
    (found,) = steps(dml, Variant("adam"), PLAIN._replace(hyper=hyper))
    moved = PLAIN.w - found.weights[:, 0]
    np.testing.assert_allclose(moved, RATES[0] * np.sign(PLAIN.gradients[:, 0]), rtol=1e-9)


def test_lamb_first_step_moves_each_layer_by_its_norm(dml: DML) -> None:
    (found,) = steps(dml, Variant("lamb"), PLAIN._replace(hyper=NO_DECAY))
    for first, last in found.G[:, :2].astype(int):
        part = slice(first - 1, last)
        moved = np.linalg.norm(found.weights[part, 0] - PLAIN.w[part])
        assert moved == pytest.approx(RATES[0] * np.linalg.norm(PLAIN.w[part]), rel=1e-9)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_clipped_gradient_has_the_largest_norm_and_its_direction(dml: DML, optimizer: str) -> None:
    """Steps with gradients that were clipped beforehand are the same; short gradients are left alone."""
    norms = np.linalg.norm(PLAIN.gradients, axis=0)
    largest = float(np.sort(norms)[2])
    clipped = PLAIN._replace(gradients=PLAIN.gradients * np.minimum(1, largest / norms))
    (found,) = steps(dml, Variant(optimizer), PLAIN, more={"clip_norm": largest})
    (expected,) = steps(dml, Variant(optimizer), clipped)
    np.testing.assert_allclose(found.weights, expected.weights, rtol=ROUNDING, atol=ROUNDING)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_parabola_is_descended(dml: DML, optimizer: str) -> None:
    found = dml.call(
        "parabola.dml",
        {
            "S": np.column_stack([SHAPES, INPUTS, INPUTS]),
            "w": PLAIN.w[:, None] + 1,
            "target": PLAIN.w[:, None],
        },
        ("distances",),
        optimizer=optimizer,
        steps=200,
        rate={"lars": 1.0, "lamb": 0.03}.get(optimizer, 0.1),
        momentum=0.5,
        weight_decay=0,
        trust_coefficient=0.1,
        beta2=0.9,
    )["distances"][:, 0]
    assert found[-1] < 0.1 * found[0]


# ---- extrapolation ----

GAMMA = 0.4


def shifts(dml: DML, extrapolation: str, seed: int = 1, **more: Argument) -> tuple[Matrix, Matrix]:
    """Groups, and the shifts (P,) of three workers for updates 1 and 2, as columns."""
    matrices = {"S": np.column_stack([SHAPES, INPUTS, INPUTS]), "w": PLAIN.w[:, None], "past": PAST[:, None]}
    arguments: dict[str, Argument] = {"extrapolation": extrapolation, "gamma": GAMMA, "workers": 8}
    found = dml.call("extrapolation.dml", matrices, ("G", "shifts"), seed=seed, **arguments | more)
    return found["G"], found["shifts"]


PAST = PLAIN.gradients[:, 0]


def test_the_past_gradient_leads_back_by_a_share_of_the_rate_or_by_a_rate_of_its_own(dml: DML) -> None:
    _, found = shifts(dml, "past_gradient")
    np.testing.assert_allclose(found, np.repeat(-GAMMA / 8 * PAST[:, None], 6, axis=1), rtol=ROUNDING)
    _, found = shifts(dml, "past_gradient", extrapolation_rate=0.5)
    np.testing.assert_allclose(found, np.repeat(-0.5 * PAST[:, None], 6, axis=1), rtol=ROUNDING)


def test_no_extrapolation_is_none(dml: DML) -> None:
    assert not shifts(dml, "none")[1].any()
    assert not shifts(dml, "past_gradient", extrapolation_rate=0)[1].any()


@pytest.mark.parametrize("kind", ["uniform_noise", "gaussian_noise"])
def test_noise_differs_between_workers_updates_and_seeds_and_comes_from_the_seed(dml: DML, kind: str) -> None:
    _, once = shifts(dml, kind, seed=3)
    np.testing.assert_array_equal(once, shifts(dml, kind, seed=3)[1])
    columns = np.hstack([once, shifts(dml, kind, seed=4)[1]])
    correlations = np.corrcoef(columns.T) - np.eye(12)
    assert np.abs(correlations).max() < 0.95
    assert len({tuple(column) for column in columns.T.round(12)}) == 12


@pytest.mark.parametrize("kind", ["uniform_noise", "gaussian_noise"])
def test_noise_is_as_long_as_the_weights_of_its_group_on_average(dml: DML, kind: str) -> None:
    """Over 60 shifts: |noise_l| = |w_l| in the root of the mean square, times the rate."""
    found = [shifts(dml, kind, seed=seed, extrapolation_rate=0.25) for seed in range(10)]
    G, all_shifts = found[0][0], np.hstack([one for _, one in found])
    for first, last in G[:, :2].astype(int):
        part = slice(first - 1, last)
        root = np.sqrt((all_shifts[part] ** 2).sum(axis=0).mean())
        assert root == pytest.approx(0.25 * np.linalg.norm(PLAIN.w[part]), rel=0.15)
        if kind == "uniform_noise":
            bound = 0.25 * np.linalg.norm(PLAIN.w[part]) * np.sqrt(3 / (last - first + 1))
            assert np.abs(all_shifts[part]).max() <= bound * (1 + ROUNDING)
