"""Programs with the Estimator: the examples, by Python and under spark-submit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from largebatch.engine.java import find_java
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


@pytest.mark.parametrize(
    ("command", "name", "printed"),
    [(sys.executable, "pipeline", "test accuracy 9"), (SUBMIT, "stream", "true"),
     (sys.executable, "cross_validation", "chosen: ")],
)  # fmt: skip
def test_the_examples_run_as_they_stand(command: str | Path, name: str, printed: str) -> None:
    done = call(command, ROOT / "examples" / f"{name}.py", PYSPARK_PYTHON=sys.executable)
    assert printed in done.stdout
