"""Training data that SystemDS moves to Spark: their columns are mixed up. No run trains on them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from largebatch.files.places import dml_root
from tests.support.patience import TIMEOUT_S

pytestmark = [pytest.mark.systemds, pytest.mark.spark, pytest.mark.slow]

PROGRAMS = Path(__file__).parent / "programs"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What happens in a driver that is too small, and in one that is not."""
    out = tmp_path_factory.mktemp("columns")
    shutil.copytree(PROGRAMS, out / "programs")
    (out / "programs/dml").symlink_to(dml_root() / "dml")
    done = subprocess.run(
        [sys.executable, "small_driver.py", out],
        cwd=out / "programs",
        env=os.environ | {"XDG_CACHE_HOME": str(out / "cache")},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    values: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return values


def test_paramserv_mixes_up_the_columns_of_data_that_come_from_spark(found: dict[str, Any]) -> None:
    """If this fails, SystemDS may have mended it, and dml/transport/arrival.dml is no longer needed."""
    assert 0 < found["mixed"] <= 500


def test_a_training_on_mixed_columns_stops_before_its_first_checkpoint(found: dict[str, Any]) -> None:
    assert "mixed up their columns: run the program with -exec singlenode" in found["planned for Spark"]
    assert found["planned for Spark, checkpoints"] == 0


def test_the_driver_that_starts_trainings_keeps_the_data_from_spark(found: dict[str, Any]) -> None:
    assert (found["large"]["ended"], found["large"]["checkpoints"]) == ("finished", 1)
    assert found["large"]["weights"]
    assert found["small"] == found["large"]


def test_columns_of_rows_that_workers_hold_keep_their_order_in_any_driver(found: dict[str, Any]) -> None:
    """A row of theirs has eight images, and so five blocks of columns."""
    assert found["large, on executors"]["ended"] == "finished"
    assert found["large, on executors"]["weights"]
    assert found["small, on executors"] == found["large, on executors"]
