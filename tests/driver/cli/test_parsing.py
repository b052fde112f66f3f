"""One option per setting: its name, help and default; and what was given on the command line."""

from __future__ import annotations

import argparse
import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from largebatch.cli.parsing import (
    add_settings,
    given,
    grouped,
    local_path,
    positive,
    seconds,
    values_of_settings,
    variants,
)
from largebatch.errors import UserError
from largebatch.settings.execution import Execution
from largebatch.settings.optimizers import OPTIMIZERS
from largebatch.settings.simulation import SimulationSettings
from largebatch.settings.training import Training
from tests.support.settings import CHOICES, OWNED, SETTINGS

FIELDS = [
    pytest.param(settings, field, id=field.name)
    for settings in (Training, Execution)
    for field in dataclasses.fields(settings)
]
Settings = type[Training] | type[Execution]


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    add_settings(parser, Training)
    add_settings(parser, Execution)
    return parser


def option(parser: argparse.ArgumentParser, name: str) -> argparse.Action:
    return {action.dest: action for action in parser._actions}[name]


@pytest.mark.parametrize(("settings", "field"), FIELDS)
def test_every_setting_has_an_option_and_a_help(
    parser: argparse.ArgumentParser, settings: Settings, field: dataclasses.Field[Any]
) -> None:
    found = option(parser, field.name)
    assert "--" + field.name.replace("_", "-") in found.option_strings
    assert found.help
    assert found.default is None, "None means: not given"


@pytest.mark.parametrize(("settings", "field"), FIELDS)
def test_every_help_ends_with_the_default(
    parser: argparse.ArgumentParser, settings: Settings, field: dataclasses.Field[Any]
) -> None:
    help_text = option(parser, field.name).help or ""
    defaults = {
        "learning_rate": ", ".join(f"{name} {row.learning_rate:g}" for name, row in OPTIMIZERS.items()),
        "milestones": "0.5,0.75",
        "hidden": "256,128",
    }
    if field.default in (None, ()) and field.name not in defaults:  # what it stands for is said in words
        assert re.search(r"\(default: (?!None).+\)$", help_text)
    else:
        assert help_text.endswith(f"(default: {defaults.get(field.name, field.default)})")
    assert help_text.count("default") == 1


def test_the_help_says_what_a_value_is(parser: argparse.ArgumentParser) -> None:
    add_settings(parser, SimulationSettings, only=("bits_per_second",))
    assert option(parser, "pad_to").metavar == "PIXELS"
    assert not {action.metavar for action in parser._actions} & {"TO", "EVERY", "WORKER", "SECOND", "BATCH"}


@pytest.mark.parametrize("name", ["milestones", "power"])
def test_the_help_says_of_which_updates_a_share_is(parser: argparse.ArgumentParser, name: str) -> None:
    """As T in dml/schedules.dml, which tests/dml/test_schedules.py computes."""
    assert "the updates after the warm-up" in (option(parser, name).help or "")


@pytest.mark.parametrize("name", OWNED)
def test_the_help_says_whose_a_setting_is(parser: argparse.ArgumentParser, name: str) -> None:
    choice, owners = SETTINGS[name].of, Training.owners(name)
    whose = (
        f"of {choice.replace('_', ' ')} {', '.join(owners)}: " if len(owners) < len(CHOICES[choice]) else ""
    )
    assert (option(parser, name).help or "").startswith(whose + SETTINGS[name].description)


def test_settings_with_names_offer_them(parser: argparse.ArgumentParser) -> None:
    offered = {action.dest: action.choices for action in parser._actions if action.choices}
    assert set(offered) >= {"network", "padding", "optimizer", "scope", "schedule", "mode"}
    for name, choices in offered.items():
        settings: Settings = Execution if name == "mode" else Training
        for choice in choices or ():
            assert getattr(settings(**{name: choice}), name) == choice


def read(parser: argparse.ArgumentParser, *arguments: str) -> tuple[dict[str, Any], dict[str, Any]]:
    options = parser.parse_args(arguments)
    return given(options, Training), given(options, Execution)


def test_only_what_was_given_is_given(parser: argparse.ArgumentParser) -> None:
    assert read(parser) == ({}, {})
    arguments = ["--batch-size", "2048", "--memory", "3g", "--optimizer", "sgd"]
    assert read(parser, *arguments) == ({"batch_size": 2048, "optimizer": "sgd"}, {"memory": "3g"})


def test_values_that_count_as_false_are_given_too(parser: argparse.ArgumentParser) -> None:
    arguments = ["--seed", "0", "--momentum", "0", "--no-deterministic", "--no-native-blas"]
    assert read(parser, *arguments) == (
        {"seed": 0, "momentum": 0.0, "deterministic": False},
        {"native_blas": False},
    )


def test_switches_go_both_ways(parser: argparse.ArgumentParser) -> None:
    assert read(parser, "--no-deterministic", "--deterministic")[0] == {"deterministic": True}
    assert read(parser, "--adapt-biases", "--no-adapt-biases")[0] == {"adapt_biases": False}


@pytest.mark.parametrize(
    ("text", "milestones"), [("0.5,0.75", (0.5, 0.75)), ("0.5", (0.5,)), (".25, 0.5", (0.25, 0.5))]
)
def test_milestones(parser: argparse.ArgumentParser, text: str, milestones: tuple[float, ...]) -> None:
    assert read(parser, "--milestones", text)[0] == {"milestones": milestones}


def test_hidden_layers_are_whole_numbers(
    parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str]
) -> None:
    assert read(parser, "--hidden", "64, 32")[0] == {"hidden": (64, 32)}
    with pytest.raises(SystemExit):
        read(parser, "--hidden", "64,3.5")
    assert "'64,3.5' must be whole numbers separated by commas, such as 256,128" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["a,b", "", ",", "0.5;0.75", "0.5,"])
def test_milestones_that_are_none_are_explained(
    parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    with pytest.raises(SystemExit):
        read(parser, "--milestones", text)
    message = f"argument --milestones: {text!r} must be numbers separated by commas, such as 0.5,0.75"
    assert capsys.readouterr().err.endswith(f"{message}\n")


@pytest.mark.parametrize(
    ("settings", "field"),
    [case for case in FIELDS if case.values[1].default not in (None, ()) or case.id == "learning_rate"],
)  # have none
def test_a_default_given_by_hand_is_the_default(
    parser: argparse.ArgumentParser, settings: Settings, field: dataclasses.Field[Any]
) -> None:
    value = getattr(settings(), field.name)
    flag = "--" + field.name.replace("_", "-")
    if isinstance(value, bool):
        arguments = [flag if value else f"--no-{field.name}"]
    else:
        arguments = [flag, ",".join(map(str, value)) if isinstance(value, tuple) else str(value)]
    found = given(parser.parse_args(arguments), settings)
    assert found == {field.name: value}
    assert type(found[field.name]) is type(value)
    assert settings(**found) == settings()


def test_settings_of_spark_are_collected(parser: argparse.ArgumentParser) -> None:
    _, found = read(parser, "--conf", "spark.a=1", "--conf", "spark.b=x=y, z")
    assert found == {"conf": ("spark.a=1", "spark.b=x=y, z")}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("runs/a", "runs/a"),
        ("/runs/a b", "/runs/a b"),
        ("odd:name", "odd:name"),
        ("file:/runs/a%20b", "/runs/a b"),
        ("file:///runs/a", "/runs/a"),
        ("file://localhost/runs/a", "/runs/a"),
    ],
)
def test_folders_are_paths_or_file_uris(text: str, path: str) -> None:
    assert local_path(text) == Path(path)


@pytest.mark.parametrize("text", ["hdfs:/a", "hdfs://name:9000/a", "s3a://b/c", "file://other/a"])
def test_folders_elsewhere_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="is not on this machine"):
        local_path(text)


# ---- of `sweep` ----


@pytest.mark.parametrize(
    ("text", "value"),
    [("90", 90), ("45s", 45), ("90m", 5400), ("2h", 7200), ("1h30m", 5400), ("1h0m5s", 3605), ("1m30", 90)],
)
def test_times(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "h", "1.5h", "-3", "30m1h", "1d", "soon", "1 h", "9" * 400 + "h"])
def test_times_that_are_none_are_explained(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="must be a time such as 1h30m, 90m or 45s"):
        seconds(text)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "", "two"])
def test_numbers_below_1_are_explained(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="must be a whole number, 1 or more"):
        positive(text)
    assert positive("12") == 12


def test_values_of_settings_add_up() -> None:
    values = values_of_settings("optimizer=lars,batch-size=64,128") + values_of_settings("batch_size = 256")
    assert grouped(values) == {"optimizer": ["lars"], "batch_size": ["64", "128", "256"]}


@pytest.mark.parametrize("text", ["", "lars", "=lars", "optimizer=", "optimizer=lars,", ",optimizer=lars"])
def test_values_without_a_setting_are_explained(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="must be like optimizer=lars,seed=1,2"):
        values_of_settings(text)


def test_settings_that_vary_are_combined_with_values_of_their_kind() -> None:
    assert variants([]) == [{}]
    found = variants(
        [("optimizer", "sgd"), ("optimizer", "lars"), ("workers", "2"), ("deterministic", "false")]
    )
    assert found == [
        {"optimizer": "sgd", "workers": 2, "deterministic": False},
        {"optimizer": "lars", "workers": 2, "deterministic": False},
    ]
    assert variants([("momentum", "0.5"), ("momentum", "0")]) == [{"momentum": 0.5}, {"momentum": 0.0}]
