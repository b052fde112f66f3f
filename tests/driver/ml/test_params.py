"""Params of the Estimator: their names, values and refusals. No JVM is needed for them."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

from largebatch.errors import UserError
from largebatch.ml import LargeBatchClassificationModel, LargeBatchClassifier
from largebatch.ml.params import restore
from largebatch.ml.settings import PARAMS, SETTINGS, FitSettings, param_name, respelt
from largebatch.settings.execution import Execution
from largebatch.settings.training import DataSettings, Training
from largebatch.settings.values import declared


def test_every_setting_is_a_param_but_for_the_data_and_what_the_session_decides() -> None:
    missing = set(declared(Training)) - {one.name for one in PARAMS[Training].values()}
    assert missing == set(declared(DataSettings))
    assert set(declared(Execution)) - {one.name for one in PARAMS[Execution].values()} == {"mode"}
    assert len(PARAMS[FitSettings]) == len(declared(FitSettings))
    assert len(SETTINGS) == sum(map(len, PARAMS.values())), "no two have one name"


@pytest.mark.parametrize("name", SETTINGS)
def test_a_param_has_the_default_of_its_setting_a_setter_and_a_getter(name: str) -> None:
    estimator, default = LargeBatchClassifier(), SETTINGS[name].default
    suffix = name[0].upper() + name[1:]
    found = getattr(estimator, f"get{suffix}")()
    assert found == (
        None if default in (None, ()) else list(default) if isinstance(default, tuple) else default
    )
    if found is not None:
        assert getattr(estimator, f"set{suffix}")(found) is estimator
        assert estimator.isSet(name)
        getattr(estimator, f"set{suffix}")(None)
        assert not estimator.isSet(name)


def test_names_are_those_of_spark() -> None:
    assert [param_name(name) for name in ("batch_size", "workers", "memory", "beta1")] == [
        "batchSize", "numWorkers", "driverMemory", "beta1",
    ]  # fmt: skip
    assert (
        respelt("--batch-size 5 is not a multiple of --workers 4")
        == "batchSize 5 is not a multiple of numWorkers 4"
    )


def test_sentences_leave_alone_what_is_no_option() -> None:
    assert respelt("'/data/exp--final' needs --validation-rows, or 'pixel--value'") == (
        "'/data/exp--final' needs validationIndicatorCol, or 'pixel--value'"
    )


def test_params_of_several_values_are_explained_as_lists() -> None:
    assert LargeBatchClassifier.hidden.doc == "widths of the hidden layers; a list"
    assert "several times" not in LargeBatchClassifier.conf.doc


def test_help_shows_all_params_with_their_defaults() -> None:
    shown = inspect.signature(LargeBatchClassifier).parameters
    assert set(SETTINGS) < set(shown)
    assert shown["batchSize"].default == 1024
    assert shown["featuresCol"].default == "features"


def test_numbers_of_numpy_and_tuples_become_plain() -> None:
    estimator = LargeBatchClassifier(
        batchSize=np.int64(64),
        learningRate=np.float32(0.5),
        milestones=np.array([0.25, 0.5]),
        imageShape=(1, 8, 8),
    )
    values = [
        estimator.getOrDefault(name) for name in ("batchSize", "learningRate", "milestones", "imageShape")
    ]
    assert values == [64, 0.5, [0.25, 0.5], [1, 8, 8]]
    assert [type(value) for value in values] == [int, float, list, list]


@pytest.mark.parametrize(
    ("given", "kind", "sentence"),
    [
        ({"batchSize": 0}, UserError, "batchSize 0 must be at least 1"),
        ({"batchSize": "many"}, UserError, "batchSize = 'many' must be a whole number"),
        ({"network": "resnet"}, UserError, "network 'resnet' is unknown; choose one of lenet, "),
        (
            {"imageShape": [28, 28]},
            UserError,
            "imageShape [28, 28] must be [channels, height, width], each 1 or more",
        ),
        ({"numClasses": 40000}, UserError, "numClasses 40000 must be from 2 to 32768"),
        ({"session": "cluster"}, UserError, "session 'cluster' is unknown; choose one of local, own, shared"),
        (
            {"batch_size": 8},
            TypeError,
            "LargeBatchClassifier has no Param batch_size; explainParams() lists all",
        ),
        (
            {"weightCol": "w"},
            TypeError,
            "LargeBatchClassifier has no Param weightCol: an update is the plain mean",
        ),
        ({"mode": "spark"}, TypeError, "LargeBatchClassifier has no Param mode: take session"),
    ],
)
def test_what_can_not_be_a_param_is_refused_at_once(given: dict[str, Any], kind: type, sentence: str) -> None:
    with pytest.raises(kind) as refused:
        LargeBatchClassifier(**given)
    assert str(refused.value).startswith(sentence)


def test_a_copy_with_other_values_leaves_the_original(capsys: pytest.CaptureFixture[str]) -> None:
    estimator = LargeBatchClassifier(batchSize=64)
    other = estimator.copy({estimator.batchSize: 128})
    assert (estimator.getBatchSize(), other.getBatchSize(), other.uid) == (64, 128, estimator.uid)


def test_params_of_another_version_are_skipped_with_a_remark(capsys: pytest.CaptureFixture[str]) -> None:
    estimator = LargeBatchClassifier()
    saved = {
        "uid": "LBC_1",
        "paramMap": {"batchSize": 64, "colour": 1},
        "defaultParamMap": {"shade": 2, "seed": 9},
    }
    restore(estimator, saved)
    assert (estimator.getBatchSize(), estimator.getSeed()) == (64, 9)
    assert capsys.readouterr().err == "LBC_1 was saved with Params that this version does not have: colour\n"


def test_saved_pipelines_find_the_classes_where_they_are_exported() -> None:
    for kind in (LargeBatchClassifier, LargeBatchClassificationModel):
        assert kind.__module__ == "largebatch.ml"
