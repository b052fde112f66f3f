"""LeNet's convolutions run in OpenBLAS, forward and backward."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from largebatch.engine import openblas
from largebatch.engine.conf import Site, systemds_conf
from largebatch.engine.jar import system_ds_jar
from largebatch.engine.java import JVM_FLAGS, find_java
from largebatch.files.names import Argument
from largebatch.files.places import dml_root
from tests.reference import parameter_count
from tests.reference.networks import lenet
from tests.support.harness import PROGRAMS, write_matrix
from tests.support.java import class_path
from tests.support.patience import TIMEOUT_S

pytestmark = pytest.mark.systemds


@pytest.fixture
def blas(tmp_path: Path) -> Path:
    """A folder with libopenblas.so."""
    folder = openblas.linked_folder(tmp_path / "cache")
    if folder is None:
        pytest.skip("OpenBLAS or libgomp was not found, or SystemDS cannot use it on this platform")
    return folder


def native_calls(scratch: Path, blas: Path, program: Path, arguments: dict[str, Argument]) -> dict[str, int]:
    """Run a program by SystemDS' command line, and count the operators that ran in OpenBLAS."""
    config = scratch / "config.xml"
    properties = "".join(
        f"<{name}>{value}</{name}>"
        for name, value in systemds_conf(Site(scratch, system_ds_jar(), blas)).items()
    )
    config.write_text(f"<root>{properties}</root>")
    command = [
        str(find_java().home / "bin" / "java"), *JVM_FLAGS, "-Xmx1g", "-cp", class_path(scratch),
        "org.apache.sysds.api.DMLScript", "-f", str(program), "-stats", "-exec", "singlenode",
        "-config", str(config), "-nvargs", *(f"{name}={value}" for name, value in arguments.items()),
    ]  # fmt: skip
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    run = subprocess.run(
        command,
        cwd=dml_root(),
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    calls = re.search(r"Native openblas calls \(dense mult/conv/bwdF/bwdD\):\s*([\d/]+)", run.stdout)
    assert run.returncode == 0 and calls, run.stdout + run.stderr
    return dict(zip(("mult", "conv", "bwdF", "bwdD"), map(int, calls[1].split("/")), strict=True))


def test_convolutions_run_in_openblas_forward_and_backward(tmp_path: Path, blas: Path) -> None:
    """Two convolutions, and the gradients of both filters and of one input."""
    rng = np.random.default_rng(1)
    w = rng.normal(0, 0.1, parameter_count(lenet.shapes((1, 28, 28), 10, 2)))
    write_matrix(tmp_path / "w", w[:, None])
    write_matrix(tmp_path / "X", rng.random((16, 28 * 28)))
    write_matrix(tmp_path / "y", rng.integers(1, 11, (16, 1)))
    network: dict[str, Argument] = {
        "network": "lenet", "channels": 1, "height": 28, "width": 28, "classes": 10, "padding": 2,
    }  # fmt: skip
    calls = native_calls(tmp_path, blas, PROGRAMS / "gradient.dml", {"folder": str(tmp_path), **network})
    assert calls["bwdF"] == 2
    assert calls["bwdD"] == 1
    assert calls["conv"] > 0
