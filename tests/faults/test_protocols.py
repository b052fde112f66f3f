"""Protocols in which workers do not wait for each other: nothing waits for a worker or server that fails."""

from __future__ import annotations

import os
import signal

import pandas as pd
import pytest

from largebatch.records.result import Status
from tests.support.command import wait_for
from tests.support.fault import fault
from tests.support.outcomes import status
from tests.support.patience import TIMEOUT_S
from tests.support.processes import java_of
from tests.support.trials import AT, UPDATES, Edit, Gate, Modify, Trial, Undisturbed, in_server, in_worker

pytestmark = [pytest.mark.systemds, pytest.mark.spark]

STOP = 'stop("a fault on purpose")'
SOFTSYNC = ("--protocol", "softsync")


@pytest.mark.parametrize(
    ("mode", "edit"),
    [
        pytest.param(
            mode,
            edit,
            id=f"{who}, {mode}",
            marks=fault(
                f"{who} throws in softsync, {mode.upper()} mode",
                f"stop() in {where} in epoch 2, in a copy of the DML",
                "status 1 at once, the message is that of the error; resumed with sound DML the run finishes",
            ),
        )
        for who, mode, where, edit in (
            ("A worker", "local", "worker 3", in_worker(STOP, since=UPDATES + 1)),
            ("A worker", "spark", "worker 3", in_worker(STOP, since=UPDATES + 1)),
            ("The server", "local", "its function", in_server(STOP)),
        )
    ],
)
def test_an_error_ends_a_run_whose_workers_do_not_wait(
    trial: Trial, undisturbed: Undisturbed, modified: Modify, mode: str, edit: Edit
) -> None:
    process = trial.train("--mode", mode, *SOFTSYNC, PYTHONPATH=modified(edit))
    wait_for(process, "epoch 1/3")
    _, told = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 1
    message = told.splitlines()[-1]
    assert message.startswith("largebatch: ") and "DMLScriptException: a fault on purpose" in message
    assert status(trial.folder) == "failed"
    trial.assert_nothing_left()
    assert_finishes_from_epoch_1(trial, undisturbed)


@fault(
    "The JVM is killed in softsync",
    "kill -9 in epoch 2",
    'status 1, "the JVM died"; resumed, the run loses at most the running epoch, and no gradient before it',
)
def test_a_killed_run_goes_on_with_its_counts(
    trial: Trial, undisturbed: Undisturbed, modified: Modify, gate: Gate
) -> None:
    process = trial.train("--mode", "local", *SOFTSYNC, PYTHONPATH=modified(in_server(gate.statements)))
    wait_for(process, "epoch 1/3")
    gate.wait(trial.folder.log)
    os.kill(java_of(trial.session()), signal.SIGKILL)
    _, told = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 1
    assert told.endswith("; see run/log.txt\n")
    assert "largebatch: the JVM died (signal 9)" in told
    trial.assert_nothing_left()
    assert_finishes_from_epoch_1(trial, undisturbed)


def assert_finishes_from_epoch_1(trial: Trial, undisturbed: Undisturbed) -> None:
    """What was recorded of epoch 1 stays, and all pushes of the epochs after it are counted."""
    folder = trial.folder
    assert folder.last_epoch() == 1 and AT > UPDATES
    metrics, staleness = folder.metrics(), folder.staleness()
    assert undisturbed.go_on(folder).status == Status.FINISHED
    pd.testing.assert_frame_equal(folder.metrics().iloc[:1], metrics, check_exact=True)
    pd.testing.assert_frame_equal(folder.staleness().iloc[: len(staleness)], staleness)
    assert folder.metrics()["updates"].tolist() == [UPDATES, 2 * UPDATES, 3 * UPDATES]
    assert folder.metrics()["pushes"].tolist() == [4 * UPDATES, 8 * UPDATES, 12 * UPDATES]
    assert folder.staleness().groupby("epoch")["count"].sum().tolist() == [4 * UPDATES] * 3
