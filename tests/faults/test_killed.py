"""Processes that are killed, or stand still, in the middle of an epoch."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.command import wait_for
from tests.support.fault import fault
from tests.support.patience import TIMEOUT_S, limit
from tests.support.processes import java_of, processes, wait_until
from tests.support.trials import AT, EPOCHS, Gate, Modify, Trial, Undisturbed, in_server

pytestmark = [pytest.mark.systemds, pytest.mark.spark]

RESUMED = "no process is left; resumed, it loses at most the running epoch and ends equal to the last bit"
CLUSTER = "local-cluster[2,2,1024]"
ON_EXECUTORS = ("--data-placement", "executors", "--reshuffle-every", "1")
SHARES = "the next run has the same rows on the same workers"


@pytest.mark.parametrize(
    ("mode", "victims", "said", "placement"),
    [
        pytest.param(
            "spark",
            ("driver",),
            None,
            (),
            id="driver",
            marks=fault(
                "The driver is killed", "kill -9 of `largebatch train` in epoch 2", RESUMED, quick=True
            ),
        ),
        pytest.param(
            "local",
            ("session",),
            "the session's process died (signal 9)",
            (),
            id="session",
            marks=fault(
                "The session's process is killed",
                "kill -9 in epoch 2",
                f'status 1, "the session\'s process died (signal 9)"; {RESUMED}',
            ),
        ),
        pytest.param(
            "local",
            ("JVM",),
            "the JVM died (signal 9)",
            (),
            id="JVM",
            marks=fault(
                "The JVM is killed",
                "kill -9 in epoch 2",
                f'status 1, "the JVM died (signal 9)"; {RESUMED}',
                quick=True,
            ),
        ),
        pytest.param(
            "local",
            ("driver", "session"),
            None,
            (),
            id="driver and session",
            marks=fault("Driver and session are killed at once", "kill -9 of both in epoch 2", RESUMED),
        ),
        pytest.param(
            "local",
            ("driver",),
            None,
            ON_EXECUTORS,
            id="driver, rows on the workers",
            marks=fault(
                "The driver is killed while workers hold the rows",
                f"{' '.join(ON_EXECUTORS)}; kill -9 of `largebatch train` in epoch 2",
                f"{RESUMED}; {SHARES}",
            ),
        ),
    ],
)
def test_killed_in_the_middle_of_an_epoch(
    trial: Trial,
    undisturbed: Undisturbed,
    modified: Modify,
    gate: Gate,
    mode: str,
    victims: tuple[str, ...],
    said: str | None,
    placement: tuple[str, ...],
) -> None:
    process = trial.train("--mode", mode, *placement, PYTHONPATH=modified(gate.edit))
    wait_for(process, "epoch 1/3")
    gate.wait(trial.folder.log)
    session = trial.session()
    pids = {"driver": process.pid, "session": session, "JVM": java_of(session)}
    for victim in victims:
        os.kill(pids[victim], signal.SIGKILL)
    _, told = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == (-signal.SIGKILL if said is None else 1)
    assert said is None or f"largebatch: {said}, as when memory runs out, or " in told
    assert said is None or "; see run/log.txt" in told
    trial.assert_nothing_left(files=victims != ("driver", "session"))  # who would remove them?
    undisturbed.assert_goes_on_from(trial.folder, (1,))


@pytest.mark.parametrize(
    "placement",
    [
        pytest.param(
            (),
            id="driver holds the rows",
            marks=fault(
                "An executor is killed",
                f"--master {CLUSTER}; kill -9 of one of the two in epoch 2, while worker 3 computes without "
                "end (in a copy of the DML) and the others wait for it",
                f"status 1, the message says that an executor was lost; {RESUMED}",
            ),
        ),
        pytest.param(
            ON_EXECUTORS,
            id="executors hold the rows",
            marks=fault(
                "An executor is killed that holds rows",
                f"the same with {' '.join(ON_EXECUTORS)}",
                f"status 1, the message says that an executor was lost; {RESUMED}; {SHARES}",
            ),
        ),
    ],
)
def test_an_executor_that_is_killed_ends_the_run(
    trial: Trial, undisturbed: Undisturbed, modified: Modify, gate: Gate, placement: tuple[str, ...]
) -> None:
    announced = in_server('print("update next to the gate")', AT - 1)
    program = modified(gate.edit, announced)
    process = trial.train("--mode", "spark", "--master", CLUSTER, *placement, PYTHONPATH=program)
    wait_for(process, "epoch 1/3")
    wait_until(lambda: "update next to the gate" in trial.folder.log.read_text())
    group = trial.session()
    executors = [each.pid for each in processes() if each.group == group and is_executor(each.pid)]
    assert len(executors) == 2
    os.kill(executors[1], signal.SIGKILL)
    _, told = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 1
    assert "largebatch: an executor was lost" in told
    trial.assert_nothing_left()
    undisturbed.assert_goes_on_from(trial.folder, (1,))


def is_executor(pid: int) -> bool:
    return "CoarseGrainedExecutorBackend" in Path(f"/proc/{pid}/cmdline").read_text()


def at_the_gate(trial: Trial, modified: Modify, gate: Gate, patience: float) -> subprocess.Popen[str]:
    """A local run with this stall time, which stands at the gate in epoch 2."""
    program = modified(gate.edit)
    process = trial.train("--mode", "local", "--stall-timeout", str(patience), PYTHONPATH=program)
    wait_for(process, "epoch 1/3")
    gate.wait(trial.folder.log)
    return process


@fault(
    "The driver is suspended",
    "SIGSTOP to `largebatch train` in epoch 2; SIGCONT long after the JVM has finished",
    "what the JVM has written is read, and the run ends equal to the last bit",
)
def test_a_pause_of_the_driver_is_no_stall(
    trial: Trial, undisturbed: Undisturbed, modified: Modify, gate: Gate
) -> None:
    patience = limit(undisturbed.start_seconds)
    process = at_the_gate(trial, modified, gate, patience)
    os.kill(process.pid, signal.SIGSTOP)
    gate.open()
    wait_until((trial.folder.path / "checkpoints" / str(EPOCHS) / "metrics.mtd").exists)
    time.sleep(patience + 2)
    os.kill(process.pid, signal.SIGCONT)
    _, told = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, told
    undisturbed.assert_equal(trial.folder)
    trial.assert_nothing_left()


@fault(
    "The JVM stands still",
    "SIGSTOP in epoch 2, --stall-timeout 20, more on a slow machine",
    f"status 1 after that time, the message says stalled; {RESUMED}",
)
def test_a_jvm_that_stands_still_is_ended(
    trial: Trial, undisturbed: Undisturbed, modified: Modify, gate: Gate
) -> None:
    patience = limit(undisturbed.start_seconds)
    process = at_the_gate(trial, modified, gate, patience)
    os.kill(java_of(trial.session()), signal.SIGSTOP)
    stopped = time.monotonic()
    _, told = process.communicate(timeout=TIMEOUT_S)
    assert time.monotonic() - stopped > patience - 1
    assert process.returncode == 1
    assert f"largebatch: stalled: no sign of life for {patience} s; if it was only slow, raise " in told
    assert "--stall-timeout; see run/log.txt" in told
    trial.assert_nothing_left()
    undisturbed.assert_goes_on_from(trial.folder, (1,))
