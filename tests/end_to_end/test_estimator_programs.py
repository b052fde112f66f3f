"""Programs with the Estimator: under spark-submit in all three sessions, and the examples."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from largebatch.engine.jar import system_ds_jar
from largebatch.engine.java import find_java
from largebatch.files.places import dml_root
from tests.support.executors import python_without_largebatch
from tests.support.outcomes import MODES_AGREE
from tests.support.patience import TIMEOUT_S

pytestmark = [pytest.mark.slow, pytest.mark.systemds, pytest.mark.spark]

ROOT = Path(__file__).parents[2]
SUBMIT = Path(sys.executable).with_name("spark-submit")


def call(
    *command: str | Path, timeout: float = TIMEOUT_S, **variables: str
) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"JAVA_HOME": str(find_java().home), **variables}
    done = subprocess.run(
        [*map(str, command)], env=environment, capture_output=True, text=True, timeout=timeout, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done


@pytest.fixture(scope="module")
def submitted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the program found, on two executors whose Python can't import largebatch."""
    python = python_without_largebatch(tmp_path_factory.mktemp("python"))
    done = call(
        SUBMIT, "--master", "local-cluster[2,1,1024]", "--driver-memory", "1g",
        "--properties-file", dml_root() / "dml" / "spark.conf", "--conf", "spark.task.maxFailures=1",
        "--jars", system_ds_jar(), Path(__file__).parent / "programs" / "estimator.py",
        timeout=4 * TIMEOUT_S, PYSPARK_PYTHON=str(python), PYSPARK_DRIVER_PYTHON=sys.executable,
    )  # fmt: skip
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_a_program_under_spark_submit_fits_in_all_three_sessions(submitted: dict[str, Any]) -> None:
    arrays = {session: np.array(values) for session, values in submitted["arrays"].items()}
    for other in ("own", "local"):
        np.testing.assert_allclose(arrays[other], arrays["shared"], rtol=0, atol=MODES_AGREE)
    assert submitted["accuracy"] > 0.9


def test_a_fit_whose_executor_is_killed_says_so_and_the_session_lives(submitted: dict[str, Any]) -> None:
    """The fits above came after that."""
    assert "an executor was lost" in submitted["failure"]
    assert "; see " not in submitted["failure"], "its log is gone"
    assert submitted["rows"] == 537


@pytest.mark.parametrize(
    ("command", "name", "printed"),
    [(sys.executable, "pipeline", "test accuracy 9"), (SUBMIT, "stream", "true"),
     (sys.executable, "cross_validation", "chosen: ")],
)  # fmt: skip
def test_the_examples_run_as_they_stand(command: str | Path, name: str, printed: str) -> None:
    done = call(command, ROOT / "examples" / f"{name}.py", PYSPARK_PYTHON=sys.executable)
    assert printed in done.stdout
