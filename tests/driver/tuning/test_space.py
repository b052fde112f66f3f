"""Spaces: what a table may say of a setting, and the values that a trial gets."""

from __future__ import annotations

import math
from typing import Any

import pytest

from largebatch.errors import UserError
from largebatch.settings.tuning import Dimension
from largebatch.tuning import space


def one(table: dict[str, Any], optimizer: str = "sgd_momentum") -> Dimension:
    (dimension,) = space.read(table, optimizer)
    return dimension


def test_a_range_on_a_log_scale_has_its_middle_at_the_geometric_mean() -> None:
    rate = one({"learning_rate": {"low": 0.01, "high": 1, "scale": "log"}})
    assert [rate.value(u) for u in (0, 0.5, 0.9999999)] == [0.01, 0.1, 1.0]
    assert one({"weight_decay": {"low": 0.0, "high": 1.0}}).value(0.25) == 0.25


def test_a_range_of_one_minus_a_setting_is_dense_near_1() -> None:
    momentum = one({"one_minus_momentum": {"low": 0.01, "high": 1, "scale": "log"}})
    assert momentum.setting == "momentum"
    assert [momentum.value(u) for u in (0, 0.5, 0.9999999)] == [0.99, 0.9, 0.0]


def test_values_can_be_read_and_typed() -> None:
    rate = one({"learning_rate": {"low": 1e-3, "high": 10, "scale": "log"}})
    assert rate.value(0.123) == float(f"{math.exp(math.log(1e-3) + 0.123 * math.log(1e4)):.4g}")
    assert one({"one_minus_beta1": {"low": 0.02, "high": 0.3, "scale": "log"}}, "adamw").value(0.7) == 0.8669


def test_a_list_of_values_is_shared_out_evenly_and_a_single_one_is_fixed() -> None:
    decay = one({"weight_decay": {"values": [0.0, 1e-4, 1e-3]}})
    assert [decay.value(u) for u in (0, 0.34, 0.99)] == [0.0, 1e-4, 1e-3]
    assert decay.free and not one({"momentum": 0.9}).free
    assert one({"milestones": [0.5, 0.8]}).values == ((0.5, 0.8),)


def test_whole_numbers_of_a_real_setting_are_real_numbers() -> None:
    assert [type(value) for value in one({"learning_rate": {"values": [1, 2, 4]}}).values] == [float] * 3
    assert type(one({"learning_rate": 1}).values[0]) is float
    assert type(one({"reference_batch": 64}).values[0]) is int
    assert one({"decay_biases": {"values": [True, False]}}).values == (True, False)


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"learning_rates": 1}, "unknown setting learning_rates; there are "),
        ({"batch_size": {"values": [8, 16]}}, "batch_size can't be tuned"),
        ({"test_part": {"values": [True]}}, "test_part can't be tuned"),
        ({"beta1": {"low": 0.1, "high": 0.2}}, "beta1 belongs to the optimizers adam, "),
        ({"learning_rate": {"low": 0.1}}, r"learning_rate must be a value, \{ values"),
        ({"learning_rate": {"values": []}}, "learning_rate must be a value"),
        ({"learning_rate": {"low": 1, "high": 0.1}}, "low 1, which must be less than its high 0.1"),
        ({"learning_rate": {"low": 0, "high": 1, "scale": "log"}}, "low 0, which must be above 0 on a log"),
        ({"learning_rate": {"low": 0.1, "high": 1, "scale": "e"}}, "scale 'e'; there are linear, log"),
        ({"learning_rate": {"low": -1.0, "high": 1}}, "^--learning-rate -1.0 must be"),
        ({"learning_rate": {"low": math.nan, "high": 1}}, "must be less than its high"),
        ({"one_minus_momentum": {"low": 0.0, "high": 0.5}}, "one_minus_momentum: .*momentum 1.0 must be"),
        ({"one_minus_momentum": {"low": 1e-13, "high": 0.5}}, "one_minus_momentum: .*momentum 1.0 must be"),
        ({"one_minus_momentum": 0.1}, "one_minus_momentum needs a range"),
        ({"one_minus_momentum": {"low": 0.1, "high": 0.2}, "momentum": 0.9}, "are one setting: leave out"),
        ({"reference_batch": {"low": 1, "high": 9}}, "reference_batch is no real number: list its values"),
        ({"momentum": "high"}, "momentum = 'high' must be a number"),
    ],
)  # fmt: skip
def test_what_a_space_can_not_be_is_refused_with_its_key(table: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        space.read(table, "sgd_momentum")


def test_the_spaces_of_the_program_have_a_rate_on_a_log_scale_each() -> None:
    for optimizer, dimensions in space.defaults().items():
        assert {d.setting for d in dimensions if d.logarithmic} >= {"learning_rate"}, optimizer
    with pytest.raises(UserError, match=r"qhm has no space .*: give it a table \[space.qhm\]"):
        space.default("qhm")
