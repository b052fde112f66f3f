"""The event simulation of the parameter server: closed forms, theory, and what Rudra's authors published."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from largebatch.simulation.compute_times import ComputeTimes
from largebatch.simulation.server import Costs, Load, Rule, Simulated, simulate
from largebatch.simulation.staleness import FIRST

FREE = Costs()
CONSTANT = ComputeTimes("constant", 0.1)
NEARLY_EQUAL = ComputeTimes("lognormal", 0.1, 0.2)
EXPONENTIAL = ComputeTimes("exponential", 0.1)


def run(
    rule: Rule, load: Load, times: ComputeTimes = CONSTANT, costs: Costs = FREE, seed: int = 1
) -> Simulated:
    return simulate(rule, load, times, costs, np.random.default_rng(seed))


# ---- closed forms ----


def test_hardsync_takes_the_time_of_the_scaling_model() -> None:
    """An update takes the gradient, the server's time for each of the pushes, and that of the update."""
    done = run(Rule(4, waits=True), Load(4, 5, epochs=2), CONSTANT, Costs(push=0.01, update=0.03))
    assert (done.pushes, done.updates, done.dropped) == (40, 10, 0)
    assert done.seconds == pytest.approx(10 * (0.1 + 4 * 0.01 + 0.03))


@pytest.mark.parametrize("times", [CONSTANT, NEARLY_EQUAL, EXPONENTIAL])
def test_hardsync_is_never_stale(times: ComputeTimes) -> None:
    done = run(Rule(8, waits=True), Load(8, 30), times)
    assert {value for _, value in done.staleness} == {0}


def test_hardsync_waits_for_the_slowest_at_every_update() -> None:
    rng = np.random.default_rng(3)
    times = EXPONENTIAL.draw(rng, 4, 50)
    assert run(Rule(4, waits=True), Load(4, 50), EXPONENTIAL, seed=3).seconds == pytest.approx(
        times.max(axis=0).sum()
    )


@pytest.mark.parametrize("rule", [Rule(1), Rule(1, waits=True), Rule(1, drops=True)])
def test_one_worker_is_plain_sgd(rule: Rule) -> None:
    done = run(rule, Load(1, 20), CONSTANT, Costs(push=0.01, update=0.02))
    assert dict(done.staleness) == {(FIRST, 0): 1, ("usual", 0): 19}
    assert (done.updates, done.seconds) == (20, pytest.approx(20 * 0.13))


@pytest.mark.parametrize("gradients", [1, 2, 4])
def test_equal_constant_workers_are_as_stale_as_there_are_updates_of_others(gradients: int) -> None:
    """They push in turns: between two pushes of a worker lie those of the k-1 others."""
    done = run(Rule(gradients), Load(8, 100))
    assert done.usual.mean == pytest.approx(7 / gradients)
    assert done.usual.largest - math.floor(7 / gradients) in (0, 1)


def test_a_busy_server_sets_the_pace() -> None:
    """Where pushes cost more than a gradient, workers queue: an update per push cost and update cost."""
    done = run(Rule(1), Load(10, 50), CONSTANT, Costs(push=0.05, update=0.05))
    assert done.seconds == pytest.approx(0.1 + 500 * 0.1)


def test_without_waiting_an_epoch_ends_with_the_slowest_worker() -> None:
    straggler = ComputeTimes("straggler", 0.1, 10)
    assert run(Rule(1), Load(4, 20), straggler).seconds == pytest.approx(20 * 1.0)
    # The others have gone by then: half of its gradients and more meet a server that nobody else uses.
    assert run(Rule(1), Load(4, 20), straggler).usual.counts[0] >= 17


def test_stale_gradients_are_dropped_and_counted() -> None:
    """Eight equal workers, no backup: all push, then seven push what they computed before the update."""
    done = run(Rule(8, drops=True), Load(8, 4))
    assert (done.pushes, done.updates, done.dropped) == (32, 2, 14)


# ---- what always holds ----


@given(
    workers=st.integers(1, 9),
    batches=st.integers(1, 7),
    epochs=st.integers(1, 3),
    gradients=st.integers(1, 9),
    drops=st.booleans(),
    seed=st.integers(0, 99),
)
def test_every_push_is_in_an_update_or_dropped_or_held(
    workers: int, batches: int, epochs: int, gradients: int, drops: bool, seed: int
) -> None:
    gradients = min(gradients, workers)
    rule = Rule(gradients, drops=drops)
    done = run(rule, Load(workers, batches, epochs), EXPONENTIAL, Costs(0.01, 0.02), seed)
    assert done.pushes == workers * batches * epochs == sum(done.staleness.values())
    assert 0 <= done.pushes - done.dropped - done.updates * gradients < gradients
    first = sum(count for (kind, _), count in done.staleness.items() if kind == FIRST)
    assert first == workers * epochs
    assert done.dropped == (sum(n for (_, value), n in done.staleness.items() if value) if drops else 0)


def test_gradients_that_are_left_at_the_end_of_an_epoch_count_in_the_next() -> None:
    """13 batches of 5 workers, 2 gradients per update: 65 pushes are 32 updates and a rest, 130 are 65."""
    assert [run(Rule(2), Load(5, 13, epochs)).updates for epochs in (1, 2, 3)] == [32, 65, 97]


def test_equal_seeds_are_equal_and_others_are_not() -> None:
    one, same, other = (run(Rule(1), Load(4, 50), EXPONENTIAL, seed=seed) for seed in (1, 1, 2))
    assert one == same
    assert one.seconds != other.seconds


# ---- Rudra (Gupta, Zhang, Wang 2016) ----


def test_1_softsync_has_a_staleness_of_0_to_2() -> None:
    done = run(Rule(30), Load(30, 300), NEARLY_EQUAL)
    assert done.usual.largest <= 2
    assert done.usual.counts.keys() == {0, 1, 2}


@pytest.mark.parametrize("n", [1, 2, 3, 5, 6, 10, 15, 30])
def test_n_softsync_with_30_learners_has_a_mean_staleness_of_about_n_and_hardly_any_above_2n(n: int) -> None:
    done = run(Rule(30 // n), Load(30, 300), NEARLY_EQUAL)
    assert done.usual.mean == pytest.approx(n, rel=0.05)
    assert done.usual.above(2 * n) < 0.001


@pytest.mark.parametrize("times", [CONSTANT, NEARLY_EQUAL, EXPONENTIAL])
@pytest.mark.parametrize(("workers", "gradients"), [(4, 1), (4, 2), (4, 4), (8, 1), (8, 2), (8, 8), (30, 4)])
def test_mean_staleness_is_that_of_theory_whatever_the_compute_times(
    workers: int, gradients: int, times: ComputeTimes
) -> None:
    """(k-1)/c, less what an epoch's end takes away: the last workers have nobody to make them stale."""
    done = run(Rule(gradients), Load(workers, 400), times)
    assert done.usual.mean == pytest.approx((workers - 1) / gradients, rel=0.05)


def test_exponential_times_are_stale_as_a_geometric_distribution_is() -> None:
    """With a memoryless time, each push of the k workers is the worker's own with probability 1/k."""
    shares = run(Rule(1), Load(4, 20_000), EXPONENTIAL).usual.shares()
    for staleness in range(6):
        assert shares[staleness] == pytest.approx(0.25 * 0.75**staleness, rel=0.1)
