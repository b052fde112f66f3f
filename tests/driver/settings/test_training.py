"""Settings of training: defaults, what is refused and how it is said, and the way through config.json."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from largebatch.data import Reading
from largebatch.errors import UserError
from largebatch.files.names import NAME
from largebatch.settings.optimizers import OPTIMIZERS
from largebatch.settings.ranges import Real, Whole
from largebatch.settings.study import run_name
from largebatch.settings.training import Training
from largebatch.settings.values import Setting
from tests.support.settings import SETTINGS, assert_one_sentence

NAN, INF = math.nan, math.inf


UNBOUNDED = [name for name, setting in SETTINGS.items() if setting.allowed == Real(low=0)]


# ---- defaults ----


def test_defaults_are_table_1_of_the_paper() -> None:
    t = Training()
    assert (t.network, t.workers, t.momentum, t.weight_decay) == ("lenet", 4, 0.9, 1e-4)
    assert (t.schedule, t.decay, t.warmup_epochs) == ("inverse_time", 1e-4, 0.0)
    assert t.trust_coefficient == 0.001


def test_default_rates_are_those_of_the_paper_but_for_lars() -> None:
    rates = {name: row.learning_rate for name, row in OPTIMIZERS.items()}
    assert rates.items() >= {"sgd": 0.01, "sgd_momentum": 0.01, "lars": 1.0}.items()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_each_optimizer_has_its_default_rate(optimizer: str) -> None:
    assert Training(optimizer=optimizer).learning_rate == OPTIMIZERS[optimizer].learning_rate
    assert Training(optimizer=optimizer, learning_rate=0.5).learning_rate == 0.5
    assert Training(optimizer=optimizer, learning_rate=0.0).learning_rate == 0.0, "0 is a rate, not a default"


def test_settings_cannot_be_changed_once_made() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Training().epochs = 3  # type: ignore[misc]


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
        ({"optimizer": "adamax"}, f"--optimizer 'adamax' is unknown; choose one of {', '.join(OPTIMIZERS)}"),
        ({"padding": "2"}, "--padding '2' is unknown; choose one of same, valid"),
        ({"scope": "array"}, "--scope 'array' is unknown; choose one of layer, parameter"),
        (
            {"schedule": "triangle"},
            "--schedule 'triangle' is unknown; choose one of inverse_time, constant, polynomial, cosine, "
            "multi_step",
        ),
        ({"batch_size": 0}, "--batch-size 0 must be at least 1"),
        ({"batch_size": -4}, "--batch-size -4 must be at least 1"),
        ({"epochs": 0}, "--epochs 0 must be at least 1"),
        ({"workers": 0}, "--workers 0 must be at least 1"),
        ({"micro_batch": -1}, "--micro-batch -1 must be at least 1"),
        ({"seed": -1}, "--seed -1 must be from 0 to 2147483647"),
        ({"seed": 2**31}, "--seed 2147483648 must be from 0 to 2147483647"),
        ({"momentum": 1.0}, "--momentum 1.0 must be at least 0 and below 1"),
        ({"momentum": -0.1}, "--momentum -0.1 must be"),
        ({"momentum": NAN}, "--momentum nan must be"),
        ({"momentum": INF}, "--momentum inf must be"),
        ({"warmup_epochs": 10.5}, "--warmup-epochs 10.5 is more than --epochs 10"),
        ({"milestones": (0.75, 0.5)}, "--milestones must be fractions between 0 and 1 in rising order"),
        ({"milestones": (0.5, 0.5)}, "--milestones must be"),
        ({"milestones": (0.0, 0.5)}, "--milestones must be"),
        ({"milestones": (0.5, 1.0)}, "--milestones must be"),
        ({"milestones": (0.5, NAN)}, "--milestones must be"),
        ({"milestones": (NAN,)}, "--milestones must be"),
        ({"milestones": ()}, "--milestones must be"),
        ({"resize": "0"}, "--resize '0' must be one or two whole numbers of pixels, such as 32 or 24x32"),
        ({"image_shape": "28"}, "--image-shape '28' must be two or three whole numbers, such as 28x28 or"),
        ({"dataset": "a\nb/c"}, "must be a path of at most 1000 printable characters"),
        ({"hidden": ()}, "--hidden must be widths of 1 to 16 layers, whole numbers from 1, such as 256,128"),
        ({"hidden": (8, 0)}, "--hidden must be widths"),
        ({"hidden": (8,) * 17}, "--hidden must be widths"),
        (
            {"protocol": "softsync", "softsync_n": 3},
            "--softsync-n 3 with --workers 4 is that of 4: an update takes 1 gradient; "
            "the nearest are 2 and 4",
        ),
        (
            {"protocol": "softsync", "softsync_n": 11, "workers": 32},
            "--softsync-n 11 with --workers 32 is that of 16: an update takes 2 gradients; "
            "the nearest are 10 and 16",
        ),
        ({"protocol": "softsync", "softsync_n": 5}, "--softsync-n 5 must be from 1 to --workers 4"),
        ({"protocol": "backup", "backup_workers": 4}, "--backup-workers 4 must be less than --workers 4"),
        ({"protocol": "backup", "workers": 1}, "--backup-workers 1 must be less than --workers 1"),
    ],
)
def test_training_refuses(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError) as refusal:
        Training(**settings)
    assert words in str(refusal.value)
    assert_one_sentence(str(refusal.value))


def test_rates_are_unbounded() -> None:
    assert {"learning_rate", "weight_decay", "trust_coefficient", "warmup_epochs"} <= set(UNBOUNDED)


@pytest.mark.parametrize("value", [-1e-9, NAN, INF, -INF, 10**400])
@pytest.mark.parametrize("name", UNBOUNDED)
def test_numbers_are_finite_and_not_negative(name: str, value: Any) -> None:
    with pytest.raises(UserError, match=rf"^--{name.replace('_', '-')} .* must be finite, 0 or more$"):
        Training(**{name: value})


def test_values_at_the_edges_are_taken() -> None:
    Training(momentum=0, seed=0, learning_rate=0, weight_decay=0, warmup_epochs=10, epochs=10)
    Training(batch_size=1, workers=1, epochs=1, micro_batch=1, seed=2**31 - 1, milestones=(0.5,))


def test_a_path_as_a_data_set_becomes_absolute_and_names_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    training = Training(dataset="./my flowers")
    assert training.dataset == str(tmp_path / "my flowers")
    assert training.name == "my-flowers-lenet-lars-b1024-e10-s1"
    assert run_name(training) != run_name(Training(dataset="other/my flowers")), "another path, another run"


def test_sizes_of_pictures_are_read(tmp_path: Path) -> None:
    assert Training(resize="32", image_shape="28x30").reading == Reading((32, 32), shape=(1, 28, 30))
    assert Training(resize="24x32", image_shape="3x8x9", grey=True).reading == Reading(
        (24, 32), True, (3, 8, 9)
    )
    assert Training().source == "mnist"
    assert len({Training(resize=size).data for size in (None, "32", "32x32")}) == 2


def test_a_batch_may_be_given_by_the_rows_of_each_worker() -> None:
    training = Training.from_given({"batch_size_per_worker": 16, "workers": 8})
    assert training == Training(batch_size=128, workers=8)
    assert training.to_mapping()["batch_size_per_worker"] is None


@pytest.mark.parametrize("make", [Training.from_given, Training.from_mapping])
def test_a_batch_is_given_in_one_way(make: Callable[[dict[str, Any]], Training]) -> None:
    with pytest.raises(UserError) as refusal:
        make({"batch_size_per_worker": 256, "batch_size": 1024})
    assert str(refusal.value) == (
        "--batch-size-per-worker is another way to give --batch-size: leave out one of them"
    )


def test_only_protocols_without_timing_are_deterministic() -> None:
    assert Training().reproducible
    assert not Training(deterministic=False).reproducible
    assert not Training.from_mapping({"protocol": "async", "deterministic": True}).reproducible
    with pytest.raises(UserError, match="--deterministic is impossible with --protocol async"):
        Training.from_given({"protocol": "async", "deterministic": True})


# ---- to and from mappings ----


FRACTIONS = st.floats(0, 1, exclude_min=True, exclude_max=True)
OF_THEIR_OWN = {  # settings whose values the range alone does not tell
    "dataset": st.from_regex(NAME, fullmatch=True) | st.just("./data/flowers"),
    "resize": st.sampled_from([None, "32", "24x32"]),
    "image_shape": st.sampled_from([None, "28x28", "3x32x32"]),
    "hidden": st.lists(st.integers(1, 4096), min_size=1, max_size=4).map(tuple),
    "milestones": st.sets(FRACTIONS, min_size=1, max_size=5).map(lambda found: tuple(sorted(found))),
}


def values_of(setting: Setting) -> st.SearchStrategy[Any]:
    """Any value that a setting may have."""
    allowed = setting.allowed
    if setting.name in OF_THEIR_OWN:
        return OF_THEIR_OWN[setting.name]
    if setting.offered:
        return st.sampled_from(setting.offered)
    if isinstance(allowed, Whole):
        return st.integers(allowed.low, allowed.high or 10**6)
    if isinstance(allowed, Real):
        low, high = allowed.low or 0, allowed.high if allowed.below is None else allowed.below
        real = st.floats(low, high, exclude_min=allowed.low is None, exclude_max=allowed.below is not None)
        return real if high <= 1 else real | st.integers(1, 1000)
    return st.booleans()


@st.composite
def trainings(draw: st.DrawFn) -> Training:
    """Any settings that are valid."""
    values = {name: draw(values_of(setting)) for name, setting in SETTINGS.items()}
    workers, epochs = draw(st.integers(2, 64)), draw(st.integers(1, 1000))
    return Training(
        **values
        | {
            "workers": workers,
            "batch_size": workers * draw(st.integers(1, 10**6)),
            "batch_size_per_worker": None,
            "softsync_n": workers // draw(st.integers(1, workers)),
            "backup_workers": draw(st.integers(1, workers - 1)),
            "epochs": epochs,
            "warmup_epochs": draw(st.floats(0, epochs)),
            "learning_rate": draw(st.none() | values_of(SETTINGS["learning_rate"])),
        }
    )


@given(trainings())
def test_training_survives_the_way_through_json(training: Training) -> None:
    assert Training.from_mapping(training.to_mapping()) == training
    assert Training.from_mapping(json.loads(json.dumps(training.to_mapping()))) == training


def test_a_mapping_holds_every_setting() -> None:
    assert set(Training().to_mapping()) == {f.name for f in dataclasses.fields(Training)}
    assert Training.from_mapping({}) == Training()


def test_unknown_settings_are_named() -> None:
    with pytest.raises(UserError, match=r"^unknown setting batchsize, lr; there are dataset, "):
        Training.from_mapping({"lr": 1.0, "epochs": 3, "batchsize": 3})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", True),
        ("epochs", 3.0),
        ("epochs", "3"),
        ("epochs", None),
        ("epochs", [3]),
        ("momentum", "0.9"),
        ("momentum", False),
        ("learning_rate", "0.1"),
        ("learning_rate", True),
        ("adapt_biases", 1),
        ("adapt_biases", "true"),
        ("optimizer", 3),
        ("optimizer", None),
        ("milestones", 0.5),
        ("milestones", ["0.5"]),
        ("milestones", [[0.5]]),
        ("milestones", [True]),
        ("hidden", [2.5]),
        ("dataset", {"name": "mnist"}),
    ],
)
def test_values_of_another_type_are_refused(name: str, value: object) -> None:
    with pytest.raises(UserError, match=rf"^{name} = .* must be ") as refusal:
        Training.from_mapping({name: value})
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
