"""The program as it is handed over: the wheel, and the DML without Python."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest

from largebatch.java import find_java
from largebatch.paths import dml_root
from largebatch.run_folder import read_matrix
from largebatch.spark import EXECUTOR_FLAGS, system_ds_jar
from tests.end_to_end.conftest import TIMEOUT_S, Run, Trained, train_arguments

ROOT = Path(__file__).parents[2]
INSTALL_S = 600


def test_properties_file_holds_the_flags_of_all_jvms() -> None:
    text = (ROOT / "dml" / "spark.conf").read_text()
    for side in ("driver", "executor"):
        line = next(ln for ln in text.splitlines() if ln.startswith(f"spark.{side}.extraJavaOptions"))
        assert tuple(line.split()[1:]) == EXECUTOR_FLAGS


@pytest.mark.systemds
@pytest.mark.spark
def test_spark_submit_without_python_equals_the_command_line(
    largebatch: Run, bars: Path, tmp_path: Path, on_spark: Trained
) -> None:
    prepared = largebatch("data", "prepare", "idx", "--data-dir", bars)
    assert prepared.returncode == 0, prepared.stderr
    data = prepared.stdout.strip()
    names = ("train_images", "train_labels", "test_images", "test_labels")
    out = tmp_path / "plain"
    command = [
        str(Path(sys.executable).with_name("spark-submit")), "--master", "local[4]", "--driver-memory", "1g",
        "--properties-file", "dml/spark.conf", str(system_ds_jar()),
        "-f", "dml/train.dml", "-exec", "hybrid", "-nvargs", *(f"{name}={data}/{name}" for name in names),
        f"out={out}", "height=16", "width=16", "classes=3", "padding=0", "network=lenet",
        "optimizer=lars", "schedule=inverse_time", "learning_rate=1.0", "batch_size=64", "workers=4",
        "epochs=2", "mode=REMOTE_SPARK",
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
    ours = read_matrix(on_spark.folder.checkpoint(2) / "parameters")
    # Java's own matrix products against OpenBLAS': another order of summation.
    np.testing.assert_allclose(read_matrix(out / "checkpoints/2/parameters"), ours, atol=1e-10)


@pytest.mark.systemds
@pytest.mark.spark
@pytest.mark.slow
def test_wheel_trains_in_an_empty_environment_from_another_folder(bars: Path, tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    venv.create(tmp_path / "venv", with_pip=True)
    python = str(tmp_path / "venv" / "bin" / "python")

    def call(*command: str) -> str:
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=INSTALL_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    call(python, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", "wheels", str(ROOT))
    (wheel,) = (tmp_path / "wheels").glob("largebatch-*.whl")
    constraints = str(ROOT / "scripts" / "constraints.txt")
    call(python, "-m", "pip", "install", "--quiet", "--constraint", constraints, str(wheel))
    command = str(tmp_path / "venv" / "bin" / "largebatch")
    result = json.loads(call(command, *train_arguments(bars, "run", "--epochs", "1", "--json")))
    assert result["status"] == "finished"
    assert "56 runs: 56 new" in call(command, "sweep", "paper", "--dry-run")
