"""Results and rows of epochs, and their forms in files."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from largebatch.records.result import EpochRow, Result, Status
from largebatch.settings.training import Training
from tests.support.study_samples import result

TRAINING = Training(dataset="idx", network="softmax", optimizer="sgd", batch_size=64, epochs=3)
FINISHED = result(TRAINING, Status.FINISHED, 3)
NAMES = [
    "dataset", "network", "optimizer", "batch_size", "epochs", "updates", "train_accuracy", "test_accuracy",
    "generalization_error", "seconds", "status", "seed", "folder",
]  # fmt: skip


def test_a_result_has_the_names_of_result_json_in_their_order() -> None:
    assert list(FINISHED.to_mapping()) == NAMES
    assert list(dataclasses.replace(FINISHED, reason="no heap").to_mapping()) == [*NAMES, "reason"]
    validated = dataclasses.replace(FINISHED, validation_accuracy=0.5).to_mapping()
    assert list(validated) == [*NAMES, "validation_accuracy"]


@pytest.mark.parametrize("status", list(Status))
def test_what_a_result_writes_it_reads(status: Status) -> None:
    one = result(TRAINING, status, 2, "reason" if status == Status.FAILED else None)
    assert Result.from_mapping(one.to_mapping()) == one
    assert one.to_mapping()["status"] == status.value == str(status)
    assert type(one.to_mapping()["status"]) is str


def test_finished_and_diverged_runs_have_nothing_left_to_train() -> None:
    assert [status for status in Status if status.ended] == [Status.FINISHED, Status.DIVERGED]


def test_names_of_later_versions_are_left_out() -> None:
    assert Result.from_mapping(FINISHED.to_mapping() | {"energy": 5}) == FINISHED


def test_accuracies_may_be_missing_and_whole() -> None:
    values = FINISHED.to_mapping() | {"test_accuracy": 1}
    del values["generalization_error"]
    found = Result.from_mapping(values)
    assert (found.test_accuracy, found.generalization_error) == (1.0, None)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([], "has a list where an object must be"),
        (None, "has a NoneType where an object must be"),
        ({}, "lacks dataset, or has it with a value of another kind"),
        ({"seed": "1"}, "lacks seed, or has it"),
        ({"seed": None}, "lacks seed, or has it"),
        ({"seconds": "9"}, "lacks seconds, or has it"),
        ({"train_accuracy": "90%"}, "lacks train_accuracy, or has it"),
        ({"reason": 5}, "lacks reason, or has it"),
        ({"status": 5}, "lacks status, or has it"),
        ({"status": "odd"}, "has the unknown status 'odd'"),
    ],
)
def test_what_is_no_result_is_refused(values: Any, words: str) -> None:
    given = FINISHED.to_mapping() | values if values else values
    with pytest.raises(ValueError, match=words):
        Result.from_mapping(given)


ROW = {
    "epoch": 3.0, "updates": 15.0, "examples": 120.0, "learning_rate": 0.5, "train_loss": 0.75,
    "train_accuracy": 0.5, "seconds": 2.0, "images_per_second": 20.0, "evaluation_seconds": 0.25,
}  # fmt: skip


def test_a_row_knows_the_parts_that_are_there() -> None:
    row = EpochRow.from_mapping(ROW | {"validation_loss": 1.5, "validation_accuracy": 0.25})
    assert (row.epoch, row.updates, row.examples) == (3, 15, 120)
    assert (row.validation_accuracy, row.test_accuracy) == (0.25, None)
    assert "test_accuracy" not in row.to_mapping()


def test_other_columns_of_a_row_are_kept() -> None:
    row = EpochRow.from_mapping(ROW | {"fc_trust_ratio": 0.001, "staleness": 2.0})
    assert row.more == {"fc_trust_ratio": 0.001, "staleness": 2.0}
    assert row.to_mapping() == ROW | row.more
