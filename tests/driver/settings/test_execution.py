"""Settings of execution: what is refused and how it is said, and the way through config.json."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import pytest

from largebatch.errors import UserError
from largebatch.settings.execution import Execution
from tests.support.settings import assert_one_sentence

NAN, INF = math.nan, math.inf


def test_settings_cannot_be_changed_once_made() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Execution().mode = "local"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"mode": "cluster"}, "--mode 'cluster' is unknown; choose one of spark, local"),
        ({"memory": "lots"}, "--memory 'lots' must be a number with m or g, such as 6g"),
        ({"memory": "6"}, "--memory '6' must be"),
        ({"memory": "9" * 5000 + "g"}, "must be a number with m or g"),
        ({"memory": "6G"}, "--memory '6G' must be"),
        ({"memory": "0g"}, "--memory '0g' must be"),
        ({"memory": "-1g"}, "--memory '-1g' must be"),
        ({"memory": "1.5g"}, "--memory '1.5g' must be"),
        ({"memory": ""}, "--memory '' must be"),
        ({"memory": "511m"}, "--memory 511m is too little; at least 512m"),
        ({"stall_timeout": 0.0}, "--stall-timeout 0.0 must be above 0"),
        ({"stall_timeout": -5.0}, "--stall-timeout -5.0 must be above 0"),
        ({"stall_timeout": NAN}, "--stall-timeout nan must be above 0"),
        ({"stall_timeout": INF}, "--stall-timeout inf must be above 0 and at most 604800 seconds"),
        ({"cluster_timeout": 0.0}, "--cluster-timeout 0.0 must be above 0"),
        ({"conf": ("spark.x",)}, "--conf 'spark.x' must be KEY=VALUE with a key of Spark"),
        ({"conf": ("spark.master=yarn",)}, "--conf spark.master can't be set: it is --master"),
        ({"stall_timeout": 1e7}, "--stall-timeout 10000000.0 must be above 0 and at most 604800 seconds"),
    ],
)
def test_execution_refuses(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError) as refusal:
        Execution(**settings)
    assert words in str(refusal.value)
    assert_one_sentence(str(refusal.value))


@pytest.mark.parametrize(
    ("memory", "size"), [("512m", 512 * 2**20), ("6g", 6 * 2**30), ("1500m", 1500 * 2**20)]
)
def test_memory_in_bytes(memory: str, size: int) -> None:
    assert Execution(memory=memory).memory_bytes == size


def test_settings_of_spark_are_added_and_the_last_word_counts() -> None:
    before = Execution(memory="1g", conf=("spark.a=1", "spark.b=2", "spark.a=3"))
    assert before.conf == ("spark.a=3", "spark.b=2")
    after = before.updated({"mode": "local", "conf": ("spark.b=4", "spark.c=5")})
    assert after == Execution("local", memory="1g", conf=("spark.a=3", "spark.b=4", "spark.c=5"))


@pytest.mark.parametrize(
    "execution",
    [
        Execution(),
        Execution("local", "local-cluster[2,2,1024]", "900m", native_blas=False, stall_timeout=0.5),
        Execution(conf=("spark.a=1", "spark.b="), secure=True, cluster_timeout=5.5),
    ],
)
def test_execution_survives_the_way_through_json(execution: Execution) -> None:
    assert Execution.from_mapping(json.loads(json.dumps(execution.to_mapping()))) == execution


def test_a_mapping_holds_every_setting() -> None:
    assert set(Execution().to_mapping()) == {f.name for f in dataclasses.fields(Execution)}


def test_unknown_settings_are_named() -> None:
    with pytest.raises(UserError, match=r"^unknown setting epochs; there are mode, master, "):
        Execution.from_mapping({"epochs": 3})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("master", 4),
        ("memory", 6),
        ("native_blas", 0),
        ("stall_timeout", "60"),
        ("conf", "spark.a=1"),
        ("conf", [1]),
        ("stall_timeout", None),
    ],
)
def test_values_of_another_type_are_refused(name: str, value: object) -> None:
    with pytest.raises(UserError, match=rf"^{name} = .* must be ") as refusal:
        Execution.from_mapping({name: value})
    assert_one_sentence(str(refusal.value))
