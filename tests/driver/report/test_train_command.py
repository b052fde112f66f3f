"""The command that a report names for a run."""

from __future__ import annotations

import shlex

import pytest

from largebatch.cli.main import build_parser
from largebatch.cli.parsing import given
from largebatch.report.page import train_command
from largebatch.settings.training import Training
from tests.support.study_samples import SGD


@pytest.mark.parametrize(
    "training",
    [
        SGD,
        Training(
            batch_size=8,
            deterministic=False,
            milestones=(0.25, 0.5),
            schedule="multi_step",
            learning_rate=2.5,
        ),
        Training(optimizer="sgd", workers=2, network="softmax", dataset="idx", warmup_epochs=0.5),
    ],
)
def test_the_command_of_a_run_trains_that_run(training: Training) -> None:
    options = build_parser().parse_args(shlex.split(train_command(training))[1:])
    assert Training.from_given(given(options, Training)) == training


def test_the_command_of_a_run_leaves_out_what_does_not_count() -> None:
    """Studies may fix a setting of one optimizer for the runs of all, and the command line refuses it."""
    words = shlex.split(train_command(Training(optimizer="sgd", momentum=0.5, weight_decay=0.5)))
    assert "--momentum" not in words
    assert words[words.index("--weight-decay") + 1] == "0.5"
