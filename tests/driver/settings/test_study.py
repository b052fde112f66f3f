"""Names of runs."""

from __future__ import annotations

import dataclasses
import re

from largebatch.settings.study import run_name
from largebatch.settings.training import Training


def test_a_run_with_defaults_is_called_by_what_it_is() -> None:
    assert run_name(Training()) == "mnist-lenet-lars-b1024-e10-s1"
    assert run_name(Training(optimizer="sgd", learning_rate=0.01)) == "mnist-lenet-sgd-b1024-e10-s1"


def test_settings_that_the_name_does_not_tell_are_told_apart_by_a_hash() -> None:
    others = [
        Training(**{name: value})
        for name, value in {
            "padding": "valid", "workers": 2, "learning_rate": 0.5, "momentum": 0.8, "weight_decay": 0.0,
            "trust_coefficient": 0.01, "scope": "parameter", "adapt_biases": False, "schedule": "constant",
            "decay": 0.1, "power": 1.0, "end_learning_rate": 0.1, "factor": 0.5, "milestones": (0.5,),
            "warmup_epochs": 1.0, "micro_batch": 64, "deterministic": False,
        }.items()
    ]  # fmt: skip
    told = {"dataset", "network", "optimizer", "batch_size", "epochs", "seed"}
    assert len(others) + len(told) == len(dataclasses.fields(Training)), "a setting has no test here"
    names = {run_name(training) for training in [Training(), *others]}
    assert len(names) == len(others) + 1
    assert all(re.fullmatch(r"mnist-lenet-lars-b1024-e10-s1(-[0-9a-f]{8})?", name) for name in names)


def test_a_name_does_not_depend_on_how_a_number_is_written() -> None:
    whole, real = Training(warmup_epochs=1), Training(warmup_epochs=1.0)
    assert whole == real
    assert run_name(whole) == run_name(real)


def test_names_stay_as_they_are_or_no_old_study_goes_on() -> None:
    assert run_name(Training(padding="valid")) == "mnist-lenet-lars-b1024-e10-s1-443e33bb"
