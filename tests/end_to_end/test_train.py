"""Training as users start it: real command line, real SystemDS, real Spark."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from largebatch.data.idx import read_idx, write_idx
from largebatch.engine.jar import system_ds_jar
from largebatch.engine.java import find_java
from largebatch.files.matrices import read_matrix
from largebatch.files.places import dml_root
from largebatch.records.run_folder import RunFolder
from largebatch.settings.networks import NETWORKS
from tests.support.command import Run, call_in, start, train_arguments, wait_for
from tests.support.fault import fault
from tests.support.lent import Lender
from tests.support.outcomes import MODES_AGREE, assert_equal_runs, without_times
from tests.support.patience import TIMEOUT_S
from tests.support.processes import session_processes
from tests.support.sockets import listening
from tests.support.trained import Trained

pytestmark = [pytest.mark.systemds, pytest.mark.spark]

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


def test_spark_run_leaves_a_complete_folder_and_prints_its_result(on_spark: Trained) -> None:
    result = json.loads(on_spark.printed)
    folder = on_spark.folder
    assert result == json.loads(folder.result_file.read_text())
    assert set(result) >= RESULT_KEYS
    assert (result["status"], result["epochs"], result["updates"]) == ("finished", 2, 2 * 8)
    assert result["test_accuracy"] > 0.9
    assert result["generalization_error"] == result["train_accuracy"] - result["test_accuracy"]
    metrics = folder.metrics()
    assert list(metrics["examples"]) == [2000, 4000]
    assert metrics["test_accuracy"].iloc[-1] == result["test_accuracy"]
    assert {"conv1_weight_norm", "fc3_gradient_norm", "conv2_trust_ratio"} <= set(metrics.columns)
    training, execution = folder.settings()
    assert (training.batch_size, training.seed, execution.mode) == (256, 1, "spark")
    versions = folder.versions()
    assert (versions["openblas"] is None) == (versions["openblas_kernels"] is None)
    assert versions["openblas_kernels"] != "Prescott" or "avx2" not in Path("/proc/cpuinfo").read_text()
    arrays = np.load(folder.model_file)
    assert tuple(arrays) == NETWORKS["lenet"].arrays
    assert all(np.array_equal(arrays[k], v) for k, v in folder.arrays(2, NETWORKS["lenet"]).items())
    assert "leaves out 2 of 2002 rows" in on_spark.said


def test_a_master_with_too_few_slots_is_raised(on_spark: Trained) -> None:
    assert "raised to local[4]" in on_spark.said


def test_the_terminal_stays_free_of_the_jvms_output(in_local: Trained, on_spark: Trained) -> None:
    for run in (in_local, on_spark):
        lines = run.said.splitlines()
        assert [line for line in lines if re.search(r"WARN|INFO|SLF4J|Exception|SystemDS", line)] == []
        assert any("epoch 2/2" in line and "images/s" in line for line in lines)
        assert "SystemDS" in run.folder.log.read_text()
    assert in_local.printed.splitlines()[0].split()[:3] == ["optimizer", "batch", "size"]


def test_local_mode_equals_spark_mode(in_local: Trained, on_spark: Trained) -> None:
    pd.testing.assert_frame_equal(
        *(without_times(run.folder.path) for run in (in_local, on_spark)), rtol=MODES_AGREE
    )


def test_spark_submit_without_python_equals_the_command_line(
    lender: Lender, bars: Path, tmp_path: Path, on_spark: Trained
) -> None:
    prepared = lender.run(tmp_path, "data", "prepare", "idx", "--data-dir", bars, memory="6g")
    assert prepared.returncode == 0, prepared.stderr
    data = prepared.stdout.strip()
    names = ("train_images", "train_labels", "test_images", "test_labels")
    out = tmp_path / "plain"
    command = [
        str(Path(sys.executable).with_name("spark-submit")), "--master", "local[4]", "--driver-memory", "1g",
        "--properties-file", "dml/spark.conf", str(system_ds_jar()),
        "-f", "dml/train.dml", "-exec", "singlenode", "-nvargs", *(f"{name}={data}/{name}" for name in names),
        f"out={out}", "height=16", "width=16", "classes=3", "padding=0", "network=lenet",
        "optimizer=lars", "schedule=inverse_time", "learning_rate=1.0", "batch_size=256", "workers=4",
        "epochs=1", "mode=REMOTE_SPARK",
    ]  # fmt: skip
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "JAVA_HOME": str(find_java().home), "OMP_NUM_THREADS": "1"}
    plain = subprocess.run(
        command,
        cwd=dml_root(),
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert plain.returncode == 0, plain.stderr[-3000:]
    ours = read_matrix(on_spark.folder.checkpoint(1) / "parameters")
    # Java's own matrix products against OpenBLAS': another order of summation.
    np.testing.assert_allclose(read_matrix(out / "checkpoints/1/parameters"), ours, atol=1e-10)


def test_a_run_in_a_folder_with_any_name_resumes_to_the_last_bit(
    largebatch: Run, bars: Path, tmp_path: Path, in_local: Trained
) -> None:
    name = in_local.folder.path.name
    assert [path.name for path in in_local.folder.path.parent.iterdir()] == [name]
    folder = RunFolder(tmp_path / name)
    shutil.copytree(in_local.folder.path, folder.path)
    shutil.rmtree(folder.checkpoint(2))
    resumed = largebatch("train", "--resume", name, "--data-dir", bars)
    assert resumed.returncode == 0, resumed.stderr
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert_equal_runs(folder.path, in_local.folder.path)
    evaluations = [run.evaluations.table().drop(columns="seconds") for run in (folder, in_local.folder)]
    pd.testing.assert_frame_equal(*evaluations, check_exact=True)


def test_accuracies_within_epochs_tell_when_targets_were_reached(in_local: Trained) -> None:
    """Eight updates an epoch."""
    table, metrics = in_local.folder.evaluations.table(), in_local.folder.metrics()
    assert table["updates"].tolist() == [3, 6, 9, 12, 15]
    assert not (in_local.folder.path / "snapshots").exists()
    later = table["accuracy"] >= 0.5
    first = min([*table["updates"][later], *metrics["updates"][metrics["test_accuracy"] >= 0.5]])
    rows = [line.split() for line in in_local.printed.splitlines()[-3:]]
    assert rows[0] == ["target", "part", "updates", "epoch", "seconds"]
    assert rows[1][:3] == ["50.00%", "test", str(first)]


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(
            number,
            marks=fault(
                f"{number.name}, {what}",
                f"{number.name} to `largebatch train` after its first epoch",
                "it ends at once with status 130, without the JVM and temporary files",
                quick=number == signal.SIGINT,  # sweeps are ended by the other
            ),
        )
        for number, what in ((signal.SIGINT, "as by Ctrl-C"), (signal.SIGTERM, "as by a batch system"))
    ],
)
def test_an_interrupted_run_ends_at_once_and_leaves_nothing_behind(
    bars: Path, tmp_path: Path, number: signal.Signals
) -> None:
    more = ("--epochs", "100000")  # hours
    process = start(train_arguments(bars, tmp_path / "run", *more, network="softmax"), tmp_path)
    wait_for(process, "epoch 1/100000")
    processes = session_processes(str(tmp_path / "largebatch-"))
    ports = listening(processes)
    assert ports, "the gateway at least"
    assert all(address.is_loopback for address, _ in ports), ports
    assert [port for _, port in ports if 4040 <= port < 4060] == [], "Spark's page is off"
    (scratch,) = tmp_path.glob("largebatch-*")
    assert scratch.stat().st_mode & 0o777 == 0o700
    process.send_signal(number)
    process.communicate(timeout=TIMEOUT_S)
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
@pytest.mark.parametrize("epochs", [3, 1])
def test_diverged_run_says_so_and_reports_no_accuracy(
    largebatch: Run, lender: Lender, bars: Path, tmp_path: Path, epochs: int
) -> None:
    rate = ("--learning-rate", "1e300" if epochs == 1 else "1e30")
    more = (*lender.options, "--optimizer", "sgd", *rate, "--epochs", str(epochs), "--json")
    arguments = train_arguments(bars, "run", *more)
    run = largebatch(*arguments) if epochs == 3 else lender.run(tmp_path, *arguments)
    assert run.returncode == 1
    result = json.loads(run.stdout)
    assert (result["status"], result["test_accuracy"]) == ("diverged", None)
    assert len(RunFolder(tmp_path / "run").metrics()) == result["epochs"] == 1


def test_predictions_are_those_the_accuracy_was_measured_with(
    largebatch: Run, bars: Path, tmp_path: Path, on_spark: Trained
) -> None:
    images = bars / "t10k-images-idx3-ubyte"
    predicted = largebatch("predict", on_spark.folder.path, images, "--out", "table.csv")
    assert predicted.returncode == 0, predicted.stderr
    table = pd.read_csv(tmp_path / "table.csv")
    labels = read_idx(bars / "t10k-labels-idx1-ubyte")
    accuracy = on_spark.folder.metrics()["test_accuracy"].iloc[-1]
    assert (table["class"] == labels).mean() == accuracy > 0.9
    np.testing.assert_allclose(table[["p0", "p1", "p2"]].sum(axis=1), 1, rtol=1e-12)


def test_inverted_images_are_remarked_on_and_inverted_again(
    bars: Path, tmp_path: Path, in_local: Trained
) -> None:
    images = read_idx(bars / "t10k-images-idx3-ubyte")[:50]
    for name, pixels in (("light", images), ("dark", 255 - images)):
        np.save(tmp_path / f"{name}.npy", pixels)
    run = in_local.folder.path
    sound, odd, mended = (
        call_in(tmp_path, "predict", run, *arguments)
        for arguments in (("light.npy",), ("dark.npy",), ("dark.npy", "--invert"))
    )
    assert "dark.npy: " in odd.stderr and "--invert mends it" in odd.stderr
    assert not sound.stderr and not mended.stderr
    assert mended.stdout.replace("dark", "light") == sound.stdout != odd.stdout


@pytest.mark.slow
def test_lenet_learns_mnist(largebatch: Run, mnist_dir: Path, tmp_path: Path) -> None:
    """From a fifth of it in 120 updates. All test images count: the first 4000 are harder than the rest."""
    some = tmp_path / "some"
    some.mkdir()
    for prefix, count in (("train", 12000), ("t10k", 10000)):
        for file in (f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte"):
            write_idx(some / file, read_idx(mnist_dir / f"{file}.gz")[:count])
    run = largebatch(
        "train", "--dataset", "idx", "--data-dir", some, "--optimizer", "lars", "--batch-size", "100",
        "--epochs", "1", "--evaluate-train-rows", "100", "--mode", "local", "--memory", "2g", "--json",
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["test_accuracy"] > 0.85
