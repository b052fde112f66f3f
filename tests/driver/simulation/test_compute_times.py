"""Distributions of the time that a gradient takes."""

from __future__ import annotations

import numpy as np
import pytest

from largebatch.errors import UserError
from largebatch.simulation.compute_times import ComputeTimes, parse


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("constant:0.1", ComputeTimes("constant", 0.1)),
        ("exponential:2e-3", ComputeTimes("exponential", 0.002)),
        ("lognormal:0.1", ComputeTimes("lognormal", 0.1, 0.3)),
        ("lognormal:0.1,0.5", ComputeTimes("lognormal", 0.1, 0.5)),
        ("straggler:0.1,4", ComputeTimes("straggler", 0.1, 4)),
    ],
)
def test_times_are_read_from_a_text(text: str, times: ComputeTimes) -> None:
    assert parse(text) == times


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "",
            "must be a kind and its mean seconds, such as exponential:0.1; the kinds are constant, ",
        ),
        ("0.1", "must be a kind and its mean seconds"),
        ("gamma:0.1", "the kinds are constant, exponential, lognormal, straggler"),
        ("constant:0.1,2", "has a second number, and constant has no use for it"),
        ("constant:-1", "the mean must be a number from 1e-09 to 1e[+]06"),
        ("constant:1e-10", "the mean must be a number"),
        ("exponential:1e", "the mean must be a number"),
        ("lognormal:0.1,-2", "the coefficient of variation must be a number from 0 to 100"),
        ("straggler:0.1,0.5", "the factor must be a number from 1 to 1e[+]06"),
    ],
)
def test_another_text_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(UserError, match=f"--compute-time '{text}'.*{sentence}"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "mean", "variation"),
    [
        ("constant:0.1", 0.1, 0),
        ("exponential:0.1", 0.1, 1),
        ("lognormal:0.1,0.5", 0.1, 0.5),
        ("lognormal:0.1,0", 0.1, 0),
    ],
)
def test_drawn_times_have_the_mean_and_the_coefficient_of_variation(
    text: str, mean: float, variation: float
) -> None:
    seconds = parse(text).draw(np.random.default_rng(1), 4, 50_000)
    assert seconds.shape == (4, 50_000)
    assert seconds.mean() == pytest.approx(mean, rel=0.01)
    assert seconds.std() / seconds.mean() == pytest.approx(variation, rel=0.02, abs=1e-9)


def test_a_straggler_is_one_worker() -> None:
    seconds = parse("straggler:0.1,10").draw(np.random.default_rng(1), 3, 2)
    np.testing.assert_allclose(seconds, [[1, 1], [0.1, 0.1], [0.1, 0.1]])
