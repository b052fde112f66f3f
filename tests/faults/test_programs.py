"""Errors, numbers that are none, and lack of memory, where DML runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from largebatch.records.result import Status
from tests.support.command import wait_for
from tests.support.fault import fault
from tests.support.outcomes import runs, status, statuses
from tests.support.patience import TIMEOUT_S
from tests.support.samples import write_bars
from tests.support.trials import (
    AT,
    CLOCK,
    MEMORY,
    UPDATES,
    Edit,
    Modify,
    Trial,
    Undisturbed,
    in_server,
    in_worker,
)

pytestmark = [pytest.mark.systemds, pytest.mark.spark]

STOP = 'stop("a fault on purpose")'
STOPPED = "DMLScriptException: a fault on purpose"
MISFIT = "X = X %*% matrix(1, rows=7, cols=7)"
MISFITS = "256!=7"
TOLD = "status 1 at once, the message is that of the error; resumed with sound DML the run ends equal"


@pytest.mark.parametrize(
    ("mode", "edit", "said"),
    [
        pytest.param(
            mode,
            edit,
            said,
            id=f"{who}, {mode}",
            marks=fault(
                f"{who} throws, {mode.upper()} mode",
                f"{how} in epoch 2, in a copy of the DML",
                TOLD,
                quick=who == "The server" and mode == "local",
            ),
        )
        for who, mode, how, edit, said in (
            (
                "A worker",
                "local",
                "a matrix product that does not fit, in worker 3",
                in_worker(MISFIT),
                MISFITS,
            ),
            ("A worker", "spark", "stop() in worker 3", in_worker(STOP), STOPPED),
            ("The server", "local", "stop() in its function", in_server(STOP), STOPPED),
            ("The server", "spark", "stop() in its function", in_server(STOP), STOPPED),
        )
    ],
)
def test_an_error_in_a_function_of_paramserv_is_told(
    trial: Trial,
    undisturbed: Undisturbed,
    modified: Modify,
    mode: str,
    edit: Edit,
    said: str,
) -> None:
    process = trial.train("--mode", mode, PYTHONPATH=modified(edit))
    wait_for(process, "epoch 1/3")
    _, told = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 1
    message = told.splitlines()[-1]
    assert message.startswith("largebatch: ") and message.endswith("; see run/log.txt")
    assert said in message
    assert len(message) < 200, "a sentence, no stack"
    assert status(trial.folder) == "failed"
    trial.assert_nothing_left()
    undisturbed.assert_goes_on_from(trial.folder, (1,))


@fault(
    "A loss that is not a number",
    "a worker's loss is 0/0 once, in epoch 2, while all weights are finite",
    "no gradient is computed after that update; the run ends as diverged after that epoch, with both rows "
    "of metrics, and is not resumed",
    quick=True,
)
def test_a_loss_that_is_no_number_ends_the_run(
    trial: Trial, undisturbed: Undisturbed, modified: Modify
) -> None:
    line = "[g, sums] = of_rows(x, X, y)"
    spoiled = f"""{{
    {line}
    {CLOCK}
    if (as.scalar(at[1,1]) == {AT} & as.scalar(y[1,1]) == 3)
      sums[1,1] = 0.0 / 0.0
    print("computed after " + as.scalar(at[1,1]))
  }}"""
    process = trial.train(
        "--mode", "local", "--json", PYTHONPATH=modified(Edit("dml/worker.dml", line, spoiled))
    )
    printed, told = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 1, told
    result = json.loads(printed)
    assert (result["status"], result["epochs"], result["test_accuracy"]) == ("diverged", 2, None)
    log = trial.folder.log.read_text()
    assert f"computed after {AT}" in log
    assert f"computed after {AT + 1}" not in log
    metrics = trial.folder.metrics()
    assert list(metrics["updates"]) == [UPDATES, 2 * UPDATES]
    assert metrics["test_accuracy"].notna()[0]
    trial.assert_nothing_left()
    assert undisturbed.go_on(trial.folder).status == Status.DIVERGED


DIVERGING = f"""
name = "small"
[fixed]
dataset = "idx"
network = "softmax"
optimizer = "sgd"
batch_size = 400
epochs = 2
[execution]
mode = "local"
memory = "{MEMORY}"
[[grid]]
learning_rate = [1e30, 0.01]
"""


@fault(
    "A run of a sweep diverges",
    "a study with the learning rates 1e30 and 0.01",
    "the one is recorded as diverged, the other as finished, in one session; status 0",
)
def test_a_sweep_goes_on_after_a_run_that_diverges(trial: Trial) -> None:
    (trial.home / "small.toml").write_text(DIVERGING)
    process = trial.start(["sweep", "small.toml", "--data-dir", str(trial.data), "--out", "out"])
    _, told = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, told
    out = trial.home / "out"
    assert sorted(str(status) for status in statuses(out)) == ["diverged", "finished"]
    assert sorted(len(run.metrics()) for run in runs(out)) == [1, 2]
    assert (out / "log.txt").read_text().count("session begun") == 1
    trial.assert_nothing_left()


@pytest.mark.parametrize(
    ("where", "said"),
    [
        pytest.param(
            ("--mode", "local", "--memory", MEMORY),
            "the JVM ran out of memory: raise --memory (now 512m) or lower --micro-batch",
            id="JVM",
            marks=fault(
                "The JVM runs out of memory",
                "LeNet with a batch whose maps do not fit into 512 MB, LOCAL mode",
                "status 1, the message says which memory, and how to get along with it; no process is left",
            ),
        ),
        pytest.param(
            (
                "--mode",
                "spark",
                "--memory",
                "2g",
                "--master",
                "local-cluster[2,1,512]",
                "--conf",
                "spark.executor.memory=512m",
            ),
            "an executor ran out of memory",
            id="executor",
            marks=fault(
                "An executor runs out of memory",
                "LeNet with a batch whose maps do not fit into an executor of local-cluster[2,1,512]",
                "status 1, the message says that it was an executor; no process is left",
            ),
        ),
    ],
)
def test_lack_of_memory_is_told(trial: Trial, tmp_path: Path, where: tuple[str, ...], said: str) -> None:
    """Each of two workers wants twice as much as the heap has."""
    (tmp_path / "large").mkdir()
    data = write_bars(tmp_path / "large", 1024, 112, 5)
    network = ("--network", "lenet", "--batch-size", "1024", "--workers", "2")
    process = trial.train(*where, *network, data=data)
    _, told = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 1
    assert f"largebatch: {said}" in told
    assert status(trial.folder) == "failed"
    trial.assert_nothing_left()
