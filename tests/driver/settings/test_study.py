"""Names of runs."""

from __future__ import annotations

import re

import pytest

from largebatch.settings.protocols import PROTOCOLS
from largebatch.settings.study import run_name
from largebatch.settings.training import Training
from tests.support.settings import SETTINGS, other_value


def test_a_run_with_defaults_is_called_by_what_it_is() -> None:
    assert run_name(Training()) == "mnist-lenet-lars-b1024-e10-s1"
    assert run_name(Training(optimizer="sgd", learning_rate=0.01)) == "mnist-lenet-sgd-b1024-e10-s1"


def test_settings_that_the_name_does_not_tell_are_told_apart_by_a_hash() -> None:
    told = {
        "dataset", "network", "optimizer", "batch_size", "batch_size_per_worker", "epochs", "seed",
    }  # fmt: skip
    others = [
        Training(**{name: other_value(setting)})
        for name, setting in SETTINGS.items()
        if name not in told and other_value(setting) != setting.default
    ]
    names = {run_name(training) for training in [Training(), *others]}
    assert len(names) == len(others) + 1
    assert all(re.fullmatch(r"mnist-lenet-lars-b1024-e10-s1(-[0-9a-f]{8})?", name) for name in names)


def test_a_name_does_not_depend_on_how_a_number_is_written() -> None:
    whole, real = Training(warmup_epochs=1), Training(warmup_epochs=1.0)
    assert whole == real
    assert run_name(whole) == run_name(real)


def test_names_stay_as_they_are_or_no_old_study_goes_on() -> None:
    assert run_name(Training(padding="valid")) == "mnist-lenet-lars-b1024-e10-s1-443e33bb"


def test_a_run_that_depends_on_timing_is_repeated_under_other_names() -> None:
    names = {run_name(Training(protocol="async", repetition=number)) for number in (1, 2, 3)}
    assert len(names) == 3
    assert run_name(Training(protocol="async")) in names


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_only_protocols_that_depend_on_timing_are_repeated(protocol: str) -> None:
    assert ("repetition" in PROTOCOLS[protocol].settings) is not PROTOCOLS[protocol].reproducible
