"""Training data that SystemDS moves to Spark: their columns are mixed up, and no run trains on them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.patience import TIMEOUT_S

pytestmark = [pytest.mark.systemds, pytest.mark.spark, pytest.mark.slow]

PROGRAMS = Path(__file__).parent / "programs"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What happens in a driver that is too small, and in one that is not."""
    out = tmp_path_factory.mktemp("columns")
    shutil.copytree(PROGRAMS, out / "programs")
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
    mixed, rows = map(int, re.findall(r"\d+", found["mixed"]))
    assert rows == 500 and mixed > 0


def test_a_training_on_mixed_columns_stops_before_its_first_checkpoint(found: dict[str, Any]) -> None:
    heap = -(-int(2 * 8 * 2000 * 501 / 0.7) // 2**20)
    assert f"mixed up their columns: give the driver a heap of at least {heap} MB" in found["small"]["ended"]
    assert found["small"]["checkpoints"] == 0


def test_the_same_training_in_a_driver_that_holds_the_data_comes_to_its_end(found: dict[str, Any]) -> None:
    assert (found["large"]["ended"], found["large"]["checkpoints"]) == ("finished", 1)


def test_columns_of_rows_that_workers_hold_keep_their_order_in_any_driver(found: dict[str, Any]) -> None:
    """A row of theirs has eight images, and so five blocks of columns."""
    assert found["large, on executors"]["ended"] == "finished"
    assert found["large, on executors"]["weights"]
    assert found["small, on executors"] == found["large, on executors"]
