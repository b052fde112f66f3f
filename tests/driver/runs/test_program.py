"""The arguments of train.dml: a record of all, and what changes with the settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from largebatch.data.dataset import Images, PreparedData
from largebatch.runs.program import network_arguments, train_arguments
from largebatch.settings.training import Training

RECORD = Path(__file__).parents[2] / "recorded" / "train_arguments.json"

# No value is the default of its setting, so that each is seen to travel.
TRAINING = Training(
    dataset="digits",
    network="softmax",
    padding="valid",
    optimizer="lars",
    batch_size=96,
    epochs=5,
    workers=3,
    learning_rate=2,
    momentum=0.8,
    weight_decay=0.0005,
    trust_coefficient=0.02,
    scope="parameter",
    adapt_biases=False,
    schedule="multi_step",
    decay=0.001,
    power=1,
    end_learning_rate=1e-5,
    factor=0.5,
    milestones=(0.25, 1 / 3, 0.9),
    warmup_epochs=1.5,
    micro_batch=16,
    deterministic=False,
    seed=11,
)
DATA = PreparedData(Path("/data/pre pared"), Images(20, 24, 7, channels=3))
OUT = Path("/runs/a run")


def test_arguments_are_as_recorded() -> None:
    found = train_arguments(TRAINING, "spark", DATA, OUT, None)
    wanted = json.loads(RECORD.read_text())
    assert found == wanted
    # JSON and == take 1, 1.0 and true for one; DML does not.
    assert {name: type(value) for name, value in found.items()} == {n: type(v) for n, v in wanted.items()}


def test_no_setting_of_the_record_is_a_default() -> None:
    same = {n for n, v in Training().to_mapping().items() if TRAINING.to_mapping()[n] == v}
    assert same == {"optimizer"}, "the default optimizer is the one with most settings"


def changes(**settings: Any) -> dict[str, Any]:
    """The arguments that differ from those of the record, with their new values."""
    call: dict[str, Any] = {
        "training": TRAINING,
        "mode": "spark",
        "data": DATA,
        "out": OUT,
        "resume": None,
    } | settings
    before = train_arguments(TRAINING, "spark", DATA, OUT, None)
    return {name: value for name, value in train_arguments(**call).items() if before[name] != value}


def test_mode_changes_nothing_but_the_mode() -> None:
    assert changes(mode="local") == {"mode": "LOCAL"}


def test_resume_changes_nothing_but_the_checkpoint() -> None:
    assert changes(resume=Path("/runs/a run/checkpoints/3")) == {"resume": "/runs/a run/checkpoints/3"}


def test_out_changes_nothing_but_the_folder() -> None:
    assert changes(out=Path("/elsewhere")) == {"out": "/elsewhere"}


@pytest.mark.parametrize("optimizer", ["sgd", "sgd_momentum", "lars"])
def test_the_default_rate_is_spelt_out(optimizer: str) -> None:
    training = Training(optimizer=optimizer)
    assert train_arguments(training, "local", DATA, OUT, None)["learning_rate"] == training.learning_rate


def test_milestones_lose_no_digit() -> None:
    milestones = str(train_arguments(TRAINING, "local", DATA, OUT, None)["milestones"])
    assert tuple(map(float, milestones.split())) == TRAINING.milestones


def test_arguments_of_prediction_are_among_those_of_training() -> None:
    training = train_arguments(TRAINING, "local", DATA, OUT, None)
    assert network_arguments(TRAINING, DATA.images).items() <= training.items()
