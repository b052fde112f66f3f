"""Settings: defaults, what is refused and how it is said, and the way through the configuration file."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from largebatch.errors import UserError
from largebatch.files.names import NAME
from largebatch.settings.execution import Execution
from largebatch.settings.networks import NETWORKS, PADDINGS
from largebatch.settings.optimizers import OPTIMIZERS, SCOPES
from largebatch.settings.schedules import SCHEDULES
from largebatch.settings.training import Training

NAN, INF = math.nan, math.inf


def assert_one_sentence(text: str) -> None:
    assert text and len(text.splitlines()) == 1, text


# ---- defaults ----


def test_defaults_are_table_1_of_the_paper() -> None:
    t = Training()
    assert (t.network, t.workers, t.momentum, t.weight_decay) == ("lenet", 4, 0.9, 1e-4)
    assert (t.schedule, t.decay, t.warmup_epochs) == ("inverse_time", 1e-4, 0.0)
    assert t.trust_coefficient == 0.001


@pytest.mark.parametrize(("optimizer", "rate"), [("sgd", 0.01), ("sgd_momentum", 0.01), ("lars", 1.0)])
def test_each_optimizer_has_its_default_rate(optimizer: str, rate: float) -> None:
    assert Training(optimizer=optimizer).learning_rate == rate
    assert Training(optimizer=optimizer, learning_rate=0.5).learning_rate == 0.5
    assert Training(optimizer=optimizer, learning_rate=0.0).learning_rate == 0.0, "0 is a rate, not a default"


def test_settings_cannot_be_changed_once_made() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Training().epochs = 3  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        Execution().mode = "local"  # type: ignore[misc]


def test_name_tells_runs_apart() -> None:
    t = Training(dataset="digits", network="softmax", optimizer="sgd", batch_size=64, epochs=3, seed=7)
    assert t.name == "digits-softmax-sgd-b64-e3-s7"


# ---- refusals ----


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"batch_size": 1023},
            "--batch-size 1023 is not a multiple of --workers 4; the nearest are 1020 or 1024",
        ),
        ({"batch_size": 3}, "the nearest are 4"),
        ({"batch_size": 1000, "workers": 7}, "the nearest are 994 or 1001"),
        ({"network": "vgg"}, "--network 'vgg' is unknown; choose one of lenet, softmax"),
        ({"optimizer": "adam"}, "--optimizer 'adam' is unknown; choose one of sgd, sgd_momentum, lars"),
        ({"padding": "2"}, "--padding '2' is unknown; choose one of same, valid"),
        ({"scope": "array"}, "--scope 'array' is unknown; choose one of layer, parameter"),
        (
            {"schedule": "cosine"},
            "--schedule 'cosine' is unknown; choose one of inverse_time, constant, polynomial, multi_step",
        ),
        ({"batch_size": 0}, "--batch-size 0 has to be at least 1"),
        ({"batch_size": -4}, "--batch-size -4 has to be at least 1"),
        ({"epochs": 0}, "--epochs 0 has to be at least 1"),
        ({"workers": 0}, "--workers 0 has to be at least 1"),
        ({"micro_batch": -1}, "--micro-batch -1 has to be at least 1"),
        ({"seed": -1}, "--seed -1 has to be from 0 to 2147483647"),
        ({"seed": 2**31}, "--seed 2147483648 has to be from 0 to 2147483647"),
        ({"momentum": 1.0}, "--momentum 1.0 has to be at least 0 and below 1"),
        ({"momentum": -0.1}, "--momentum -0.1 has to be"),
        ({"momentum": NAN}, "--momentum nan has to be"),
        ({"momentum": INF}, "--momentum inf has to be"),
        ({"warmup_epochs": 10.5}, "--warmup-epochs 10.5 is more than --epochs 10"),
        ({"milestones": (0.75, 0.5)}, "--milestones have to be fractions between 0 and 1 in rising order"),
        ({"milestones": (0.5, 0.5)}, "--milestones have to be"),
        ({"milestones": (0.0, 0.5)}, "--milestones have to be"),
        ({"milestones": (0.5, 1.0)}, "--milestones have to be"),
        ({"milestones": (0.5, NAN)}, "--milestones have to be"),
        ({"milestones": (NAN,)}, "--milestones have to be"),
        ({"milestones": ()}, "--milestones have to be"),
    ],
)
def test_training_refuses(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError) as refusal:
        Training(**settings)
    assert words in str(refusal.value)
    assert_one_sentence(str(refusal.value))


@pytest.mark.parametrize("value", [-1e-9, NAN, INF, -INF, 10**400])
@pytest.mark.parametrize(
    "name",
    [
        "learning_rate",
        "weight_decay",
        "trust_coefficient",
        "decay",
        "power",
        "end_learning_rate",
        "factor",
        "warmup_epochs",
    ],
)
def test_numbers_are_finite_and_not_negative(name: str, value: Any) -> None:
    with pytest.raises(UserError, match=rf"^--{name.replace('_', '-')} .* has to be finite, 0 or more$"):
        Training(**{name: value})


def test_values_at_the_edges_are_taken() -> None:
    Training(momentum=0, seed=0, learning_rate=0, weight_decay=0, warmup_epochs=10, epochs=10)
    Training(batch_size=1, workers=1, epochs=1, micro_batch=1, seed=2**31 - 1, milestones=(0.5,))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"mode": "cluster"}, "--mode 'cluster' is unknown; choose one of spark, local"),
        ({"memory": "lots"}, "--memory 'lots' has to be a number with m or g, such as 6g"),
        ({"memory": "6"}, "--memory '6' has to be"),
        ({"memory": "9" * 5000 + "g"}, "has to be a number with m or g"),
        ({"memory": "6G"}, "--memory '6G' has to be"),
        ({"memory": "0g"}, "--memory '0g' has to be"),
        ({"memory": "-1g"}, "--memory '-1g' has to be"),
        ({"memory": "1.5g"}, "--memory '1.5g' has to be"),
        ({"memory": ""}, "--memory '' has to be"),
        ({"memory": "511m"}, "--memory 511m is too little; at least 512m"),
        ({"stall_timeout": 0.0}, "--stall-timeout 0.0 has to be above 0"),
        ({"stall_timeout": -5.0}, "--stall-timeout -5.0 has to be above 0"),
        ({"stall_timeout": NAN}, "--stall-timeout nan has to be above 0"),
        ({"stall_timeout": INF}, "--stall-timeout inf has to be above 0 and at most 604800 seconds"),
        ({"cluster_timeout": 0.0}, "--cluster-timeout 0.0 has to be above 0"),
        ({"conf": ("spark.x",)}, "--conf 'spark.x' has to be KEY=VALUE with a key of Spark"),
        ({"conf": ("spark.master=yarn",)}, "--conf spark.master can't be set: it is --master"),
        ({"stall_timeout": 1e7}, "--stall-timeout 10000000.0 has to be above 0 and at most 604800 seconds"),
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


# ---- to and from mappings ----


def rates() -> st.SearchStrategy[float]:
    return st.floats(min_value=0, allow_infinity=False) | st.integers(0, 1000)


@st.composite
def trainings(draw: st.DrawFn) -> Training:
    """Any settings that are valid."""
    workers, epochs = draw(st.integers(1, 64)), draw(st.integers(1, 1000))
    fraction = st.floats(0, 1, exclude_min=True, exclude_max=True)
    return Training(
        dataset=draw(st.from_regex(NAME, fullmatch=True)),
        network=draw(st.sampled_from(list(NETWORKS))),
        padding=draw(st.sampled_from(list(PADDINGS))),
        optimizer=draw(st.sampled_from(list(OPTIMIZERS))),
        batch_size=workers * draw(st.integers(1, 10**6)),
        epochs=epochs,
        workers=workers,
        learning_rate=draw(st.none() | rates()),
        momentum=draw(st.floats(0, 1, exclude_max=True)),
        weight_decay=draw(rates()),
        trust_coefficient=draw(rates()),
        scope=draw(st.sampled_from(SCOPES)),
        adapt_biases=draw(st.booleans()),
        schedule=draw(st.sampled_from(SCHEDULES)),
        decay=draw(rates()),
        power=draw(rates()),
        end_learning_rate=draw(rates()),
        factor=draw(rates()),
        milestones=tuple(sorted(draw(st.sets(fraction, min_size=1, max_size=5)))),
        warmup_epochs=draw(st.floats(0, epochs)),
        micro_batch=draw(st.integers(1, 10**6)),
        deterministic=draw(st.booleans()),
        seed=draw(st.integers(0, 2**31 - 1)),
    )


@given(trainings())
def test_training_survives_the_way_through_json(training: Training) -> None:
    assert Training.from_mapping(training.to_mapping()) == training
    assert Training.from_mapping(json.loads(json.dumps(training.to_mapping()))) == training


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
    assert set(Training().to_mapping()) == {f.name for f in dataclasses.fields(Training)}
    assert set(Execution().to_mapping()) == {f.name for f in dataclasses.fields(Execution)}
    assert Training.from_mapping({}) == Training()


def test_unknown_settings_are_named() -> None:
    with pytest.raises(UserError, match=r"^unknown setting batchsize, lr; there are dataset, network, "):
        Training.from_mapping({"lr": 1.0, "epochs": 3, "batchsize": 3})
    with pytest.raises(UserError, match=r"^unknown setting epochs; there are mode, master, "):
        Execution.from_mapping({"epochs": 3})


@pytest.mark.parametrize(
    ("settings", "name", "value"),
    [
        (Training, "epochs", True),
        (Training, "epochs", 3.0),
        (Training, "epochs", "3"),
        (Training, "epochs", None),
        (Training, "epochs", [3]),
        (Training, "momentum", "0.9"),
        (Training, "momentum", False),
        (Training, "learning_rate", "0.1"),
        (Training, "learning_rate", True),
        (Training, "adapt_biases", 1),
        (Training, "adapt_biases", "true"),
        (Training, "optimizer", 3),
        (Training, "optimizer", None),
        (Training, "milestones", 0.5),
        (Training, "milestones", ["0.5"]),
        (Training, "milestones", [[0.5]]),
        (Training, "milestones", [True]),
        (Training, "dataset", {"name": "mnist"}),
        (Execution, "master", 4),
        (Execution, "memory", 6),
        (Execution, "native_blas", 0),
        (Execution, "stall_timeout", "60"),
        (Execution, "conf", "spark.a=1"),
        (Execution, "conf", [1]),
        (Execution, "stall_timeout", None),
    ],
)
def test_values_of_another_type_are_refused(
    settings: type[Training] | type[Execution], name: str, value: object
) -> None:
    with pytest.raises(UserError, match=rf"^{name} = .* is not of type ") as refusal:
        settings.from_mapping({name: value})
    assert_one_sentence(str(refusal.value))


def json_values() -> st.SearchStrategy[Any]:
    return st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda values: st.lists(values, max_size=4) | st.dictionaries(st.text(), values, max_size=3),
        max_leaves=8,
    )


names = st.sampled_from([f.name for f in dataclasses.fields(Training)])
mappings = st.dictionaries(names, json_values(), max_size=6) | st.dictionaries(
    names | st.text(), json_values(), max_size=6
)


@given(mappings)
@example({"learning_rate": 10**400})
@example({"warmup_epochs": 10**400, "epochs": 10**401})
@example({"batch_size": 10**400, "milestones": [10**400]})
def test_any_mapping_gives_settings_or_a_user_error(values: dict[str, Any]) -> None:
    with contextlib.suppress(UserError):
        training = Training.from_mapping(values)
        assert Training.from_mapping(training.to_mapping()) == training
