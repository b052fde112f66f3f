"""The arguments of train.dml: records of all, and what changes with the settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from largebatch.data.dataset import Images, PreparedData
from largebatch.runs.program import train_arguments
from largebatch.settings.training import Training
from largebatch.settings.values import NotPassed
from tests.support.settings import CHOICES, SETTINGS, every_choice, other_value, owning

RECORDS = json.loads((Path(__file__).parents[2] / "recorded" / "train_arguments.json").read_text())
DATA = PreparedData(Path("/data/pre pared"), Images(20, 24, 7, channels=3))
OUT = Path("/runs/a run")
TRAINING = Training.from_mapping(RECORDS[0]["settings"])


def arguments(training: Training, mode: str = "spark") -> dict[str, Any]:
    return train_arguments(training, mode, DATA, OUT, None)


@pytest.mark.parametrize("record", RECORDS)
def test_arguments_are_as_recorded(record: dict[str, Any]) -> None:
    found = arguments(Training.from_mapping(record["settings"]))
    wanted = record["arguments"]
    assert found == wanted
    # JSON and == take 1, 1.0 and true for one; DML does not.
    assert {name: type(value) for name, value in found.items()} == {n: type(v) for n, v in wanted.items()}


def changed(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """The arguments that are new or differ."""
    assert before.keys() <= after.keys()
    return {name: value for name, value in after.items() if name not in before or before[name] != value}


# batch_size_per_worker stands for another setting.
@pytest.mark.parametrize("name", sorted(set(SETTINGS) - set(CHOICES) - {"batch_size_per_worker"}))
def test_every_setting_travels_by_arguments_of_its_own(name: str) -> None:
    setting, choice = SETTINGS[name], owning(name)
    value = other_value(setting)
    before, after = arguments(Training(**choice)), arguments(Training(**choice | {name: value}))
    assert changed(before, after) == setting.arguments(value)
    assert (before == after) == isinstance(setting.dml, NotPassed)


@pytest.mark.parametrize("training", every_choice(), ids=lambda t: f"{t.network}-{t.optimizer}-{t.schedule}")
def test_choices_are_always_passed_and_what_does_not_count_never(training: Training) -> None:
    found = arguments(training)
    assert {name: found[name] for name in CHOICES} == {name: getattr(training, name) for name in CHOICES}
    for name, setting in SETTINGS.items():
        if not training.belongs(name):
            assert found.keys().isdisjoint(setting.arguments(setting.default))


def test_mode_changes_nothing_but_the_mode() -> None:
    assert changed(arguments(TRAINING), arguments(TRAINING, "local")) == {"mode": "LOCAL"}


def test_resume_changes_nothing_but_the_checkpoint() -> None:
    resumed = train_arguments(TRAINING, "spark", DATA, OUT, Path("/runs/a run/checkpoints/3"))
    assert changed(arguments(TRAINING), resumed) == {"resume": "/runs/a run/checkpoints/3"}


def test_out_changes_nothing_but_the_folder() -> None:
    elsewhere = train_arguments(TRAINING, "spark", DATA, Path("/elsewhere"), None)
    assert changed(arguments(TRAINING), elsewhere) == {"out": "/elsewhere"}


@pytest.mark.parametrize("optimizer", CHOICES["optimizer"])
def test_the_default_rate_is_spelt_out(optimizer: str) -> None:
    training = Training(optimizer=optimizer)
    assert arguments(training)["learning_rate"] == training.learning_rate


def test_milestones_lose_no_digit() -> None:
    milestones = (0.25, 1 / 3, 0.9)
    training = Training(schedule="multi_step", milestones=milestones)
    assert tuple(map(float, arguments(training)["milestones"].split())) == milestones
