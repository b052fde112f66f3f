"""The sequence that trials are taken from."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import qmc

from largebatch.settings.tuning import Dimension
from largebatch.tuning.sampling import different, points


def test_equal_seeds_give_equal_points_and_others_others() -> None:
    assert points(8, 2, 1) == points(8, 2, 1) != points(8, 2, 2)


@pytest.mark.parametrize("count", [1, 3, 8, 20])
def test_fewer_points_are_the_first_of_more(count: int) -> None:
    assert len(points(count, 2, 1)) == count
    assert points(64, 2, 1)[:count] == points(count, 2, 1)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_points_fill_the_cube_better_than_random_ones(seed: int) -> None:
    found = np.array(points(16, 2, seed))
    random = np.random.default_rng(seed).random((200, 16, 2))
    assert qmc.discrepancy(found) < min(map(qmc.discrepancy, random))
    for axis in range(2):
        assert sorted((found[:, axis] * 16).astype(int)) == list(range(16)), "one in each sixteenth"


def test_all_versions_of_scipy_give_the_same_points() -> None:
    """Other points would be other runs: a study could not go on after an update."""
    wanted = [[0.15546531789004803, 0.588747326284647], [0.838384716771543, 0.1040601534768939]]
    assert np.allclose(points(2, 2, 1), wanted, rtol=0, atol=1e-9)


def valued(*values: tuple[float, ...]) -> list[Dimension]:
    return [Dimension("learning_rate", values=one) for one in values]


def test_all_points_of_a_finite_space_come_if_so_many_are_asked_for() -> None:
    grid = valued((0.1, 0.2, 0.3), (0.7, 0.8, 0.9))
    found = {tuple(d.value(u) for d, u in zip(grid, p, strict=True)) for p in different(9, grid, 1)}
    assert found == set(itertools.product((0.1, 0.2, 0.3), (0.7, 0.8, 0.9)))
    assert len(different(10, grid, 1)) == len(different(512, grid, 1)) == 9, "there are no more"
    assert len(different(4, valued((0.1, 0.2, 0.2)), 1)) == 2
    assert len(different(512, valued(*[tuple(range(8))] * 3), 3)) == 512


@pytest.mark.parametrize("count", [2, 3, 9])
def test_points_that_differ_are_the_first_of_the_sequence(count: int) -> None:
    """So studies that were begun before keep their trials, and further ones are added."""
    grid = [Dimension("learning_rate", 0.1, 1.0), *valued((0.7, 0.8, 0.9))]
    assert different(count, grid, 1) == points(count, 2, 1)
    coarse = valued((0.1, 0.2, 0.3), (0.7, 0.8, 0.9))
    assert different(9, coarse, 1)[:count] == different(count, coarse, 1)


def test_without_dimensions_all_points_are_empty() -> None:
    assert points(3, 0, 1) == ((), (), ())
