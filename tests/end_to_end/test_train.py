"""Training as users start it: real command line, real SystemDS, real Spark."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from largebatch.data.idx import read_idx
from largebatch.registry import NETWORKS
from largebatch.run_folder import RunFolder
from tests.end_to_end.conftest import TIMEOUT_S, Run, Trained, train_arguments
from tests.faults.fault import fault
from tests.sockets import listening

pytestmark = [pytest.mark.systemds, pytest.mark.spark]

MODES_AGREE = 1e-10  # sums in the same order, but operators that may be fused differently
STOP_S = 5.0  # from Ctrl-C to the end of the command
TIMES = ["seconds", "images_per_second", "evaluation_seconds"]
RESULT_KEYS = {
    "optimizer",
    "batch_size",
    "epochs",
    "updates",
    "train_accuracy",
    "test_accuracy",
    "generalization_error",
    "seconds",
    "status",
}


def without_times(folder: Path) -> pd.DataFrame:
    return RunFolder(folder).metrics().drop(columns=TIMES)


def session_processes(needle: str) -> list[int]:
    """Processes, JVMs among them, with `needle` in their command line or working directory."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdecimal() and int(process.name) != os.getpid():
            try:
                text = (process / "cmdline").read_text() + str((process / "cwd").readlink())
            except OSError:
                continue
            if needle in text:
                found.append(int(process.name))
    return found


# A job that a script starts in the background ignores SIGINT, and so do its children: not this one.
LISTENING = ("env", "--default-signal=INT")


def start(arguments: list[str], folder: Path, **environment: str) -> subprocess.Popen[str]:
    """The command in the background, with temporary files below `folder`."""
    return subprocess.Popen(
        [*LISTENING, sys.executable, "-m", "largebatch", *arguments],
        cwd=folder,
        env=os.environ | {"TMPDIR": str(folder)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(process: subprocess.Popen[str], text: str) -> None:
    """Read the command's progress until a line holds the text."""
    assert process.stderr is not None
    for line in process.stderr:
        if text in line:
            return
    pytest.fail(f"the command ended without {text!r}")


def test_spark_run_leaves_a_complete_folder_and_prints_its_result(on_spark: Trained) -> None:
    result = json.loads(on_spark.printed)
    folder = on_spark.folder
    assert result == json.loads(folder.result_file.read_text())
    assert set(result) >= RESULT_KEYS
    assert (result["status"], result["epochs"], result["updates"]) == ("finished", 2, 2 * 32)
    assert result["test_accuracy"] > 0.9
    assert result["generalization_error"] == result["train_accuracy"] - result["test_accuracy"]
    metrics = folder.metrics()
    assert list(metrics["examples"]) == [2000, 4000]
    assert metrics["test_accuracy"].iloc[-1] == result["test_accuracy"]
    assert {"conv1_weight_norm", "fc3_gradient_norm", "conv2_trust_ratio"} <= set(metrics.columns)
    training, execution = folder.settings()
    assert (training.batch_size, training.seed, execution.mode) == (64, 1, "spark")
    assert (folder.path / "versions.json").is_file()
    arrays = np.load(folder.model_file)
    assert tuple(arrays) == NETWORKS["lenet"].arrays
    assert all(np.array_equal(arrays[k], v) for k, v in folder.arrays(2, NETWORKS["lenet"]).items())
    assert "leaves out 2 of 2002 rows" in on_spark.said


def test_master_with_too_few_slots_is_raised_and_the_terminal_stays_free_of_the_jvms_output(
    largebatch: Run, bars: Path, tmp_path: Path
) -> None:
    run = largebatch(
        *train_arguments(bars, "run", "--epochs", "1", "--network", "softmax", "--master", "local[2]")
    )
    assert run.returncode == 0, run.stderr
    assert "raised to local[4]" in run.stderr
    lines = run.stderr.splitlines()
    assert [line for line in lines if re.search(r"WARN|INFO|SLF4J|Exception|SystemDS", line)] == []
    assert any("epoch 1/1" in line and "images/s" in line for line in lines)
    assert run.stdout.splitlines()[0].split()[:3] == ["optimizer", "batch", "size"]
    assert "SystemDS" in (tmp_path / "run" / "log.txt").read_text()


def test_local_mode_equals_spark_mode(largebatch: Run, bars: Path, tmp_path: Path, on_spark: Trained) -> None:
    run = largebatch(*train_arguments(bars, "run", "--epochs", "2", "--mode", "local"))
    assert run.returncode == 0, run.stderr
    pd.testing.assert_frame_equal(
        without_times(tmp_path / "run"), without_times(on_spark.folder.path), rtol=MODES_AGREE
    )


AWKWARD = "a \"run\"; $HOME `id` 'x' naïve ✓ # %20 ~ & | < > (a=b), line\nbreak"


def test_a_runs_folder_may_have_any_name(largebatch: Run, bars: Path, tmp_path: Path) -> None:
    run = largebatch(
        *train_arguments(bars, AWKWARD, "--epochs", "2", "--network", "softmax", "--mode", "local", "--json")
    )
    assert run.returncode == 0, run.stderr
    folder = RunFolder(tmp_path / AWKWARD)
    metrics = without_times(folder.path)
    shutil.rmtree(folder.checkpoint(2))
    resumed = largebatch("train", "--resume", AWKWARD, "--data-dir", bars)
    assert resumed.returncode == 0, resumed.stderr
    pd.testing.assert_frame_equal(without_times(folder.path), metrics, check_exact=True)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(AWKWARD[:3])] == [AWKWARD]


@pytest.mark.slow
def test_killed_run_resumes_to_the_last_bit(largebatch: Run, bars: Path, tmp_path: Path) -> None:
    few_updates = ("--epochs", "5", "--batch-size", "400")
    whole = largebatch(*train_arguments(bars, "whole", *few_updates))
    assert whole.returncode == 0, whole.stderr
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    process = start(train_arguments(bars, tmp_path / "killed", *few_updates), scratch)
    wait_for(process, "epoch 2/5")
    time.sleep(0.3)
    for pid in (process.pid, *session_processes(str(scratch))):
        os.kill(pid, signal.SIGKILL)
    process.communicate()
    killed = RunFolder(tmp_path / "killed")
    assert killed.last_epoch() in (2, 3)
    assert not killed.result_file.exists()
    resumed = largebatch("train", "--resume", "killed", "--data-dir", bars)
    assert resumed.returncode == 0, resumed.stderr
    pd.testing.assert_frame_equal(
        without_times(tmp_path / "whole"), without_times(tmp_path / "killed"), check_exact=True
    )
    models = [np.load(tmp_path / name / "model.npz") for name in ("whole", "killed")]
    assert all(np.array_equal(models[0][name], models[1][name]) for name in models[0])


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(
            number,
            marks=fault(
                f"{number.name}, {what}",
                f"{number.name} to `largebatch train` after its first epoch",
                f"it ends within {STOP_S:.0f} s with status 130, without the JVM and temporary files",
                quick=True,
            ),
        )
        for number, what in ((signal.SIGINT, "as by Ctrl-C"), (signal.SIGTERM, "as by a batch system"))
    ],
)
def test_interrupted_run_ends_in_seconds_and_leaves_nothing_behind(
    bars: Path, tmp_path: Path, number: signal.Signals
) -> None:
    process = start(train_arguments(bars, tmp_path / "run", "--epochs", "50"), tmp_path)
    wait_for(process, "epoch 1/50")
    processes = session_processes(str(tmp_path / "largebatch-"))
    ports = listening(processes)
    assert ports, "the gateway at least"
    assert all(address.is_loopback for address, _ in ports), ports
    assert [port for _, port in ports if 4040 <= port < 4060] == [], "Spark's page is off"
    (scratch,) = tmp_path.glob("largebatch-*")
    assert scratch.stat().st_mode & 0o777 == 0o700
    begun = time.monotonic()
    process.send_signal(number)
    process.communicate(timeout=TIMEOUT_S)
    assert time.monotonic() - begun < STOP_S
    assert process.returncode == 130
    assert session_processes(str(tmp_path / "largebatch-")) == []
    assert list(tmp_path.glob("largebatch-*")) == []
    assert RunFolder(tmp_path / "run").last_epoch() >= 1


@fault(
    "Losses beyond all bounds",
    "a learning rate of 1e30",
    "the run ends as diverged after that epoch, with its row of metrics and without an accuracy",
    quick=True,
)
def test_diverged_run_says_so_and_reports_no_accuracy(largebatch: Run, bars: Path, tmp_path: Path) -> None:
    run = largebatch(
        *train_arguments(
            bars, "run", "--optimizer", "sgd", "--learning-rate", "1e30", "--epochs", "3", "--json"
        )
    )
    assert run.returncode == 1
    result = json.loads(run.stdout)
    assert (result["status"], result["test_accuracy"]) == ("diverged", None)
    assert len(RunFolder(tmp_path / "run").metrics()) == result["epochs"] < 3


def test_predictions_are_those_the_accuracy_was_measured_with(
    largebatch: Run, bars: Path, tmp_path: Path
) -> None:
    run = largebatch(*train_arguments(bars, "run", "--epochs", "1", "--mode", "local", "--json"))
    images = read_idx(bars / "t10k-images-idx3-ubyte")
    np.save(tmp_path / "images.npy", images)
    tables = []
    for file in (bars / "t10k-images-idx3-ubyte", tmp_path / "images.npy"):
        predicted = largebatch("predict", "run", file, "--out", "table.csv")
        assert predicted.returncode == 0, predicted.stderr
        tables.append(pd.read_csv(tmp_path / "table.csv"))
    pd.testing.assert_frame_equal(tables[0].iloc[:, 1:], tables[1].iloc[:, 1:], check_exact=True)
    labels = read_idx(bars / "t10k-labels-idx1-ubyte")
    assert (tables[0]["class"] == labels).mean() == json.loads(run.stdout)["test_accuracy"]
    np.testing.assert_allclose(tables[0][["p0", "p1", "p2"]].sum(axis=1), 1, rtol=1e-12)


@pytest.mark.slow
def test_lenet_learns_mnist(largebatch: Run, mnist_dir: Path) -> None:
    run = largebatch(
        "train", "--data-dir", mnist_dir, "--optimizer", "lars", "--batch-size", "1024", "--epochs", "1",
        "--memory", "4g", "--json",
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["test_accuracy"] > 0.85
