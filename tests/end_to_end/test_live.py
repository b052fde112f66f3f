"""Sessions in a live SparkSession: a user's program trains in it, and works on in it afterwards."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from largebatch.files.places import dml_root
from tests.support.outcomes import assert_equal_runs
from tests.support.patience import TIMEOUT_S

pytestmark = [pytest.mark.systemds, pytest.mark.spark]

PROGRAMS = Path(__file__).parent / "programs"


@dataclass(frozen=True)
class Program:
    """What the user's program found, what was printed besides, and the folder of its results."""

    found: dict[str, Any]
    printed: list[str]
    out: Path


@pytest.fixture(scope="module")
def program(bars: Path, tmp_path_factory: pytest.TempPathFactory) -> Program:
    out = tmp_path_factory.mktemp("live")
    (out / "temporary").mkdir()
    shutil.copytree(PROGRAMS, out / "programs")
    (out / "programs/dml").symlink_to(dml_root() / "dml")
    done = subprocess.run(
        [sys.executable, "live_session.py", bars, out],
        cwd=out / "programs",
        env=os.environ | {"TMPDIR": str(out / "temporary")},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    *printed, last = done.stdout.splitlines()
    return Program(json.loads(last), printed, out)


def test_training_in_a_live_session_equals_that_in_an_own_jvm(program: Program) -> None:
    assert [program.found[name] for name in ("live", "again", "own")] == ["finished"] * 3
    assert_equal_runs(program.out / "live", program.out / "own")
    assert_equal_runs(program.out / "again", program.out / "own")


def test_what_the_session_lacks_is_said_with_the_line_to_add(program: Program) -> None:
    lacking, stopped, slots, memory, mode = program.found["refusals"]
    assert lacking == (
        'the SparkSession can\'t train with 4 workers: add .config("spark.speculation", "false")'
        '.config("spark.ps.io.serverThreads", "6") where it is built, before the program\'s first '
        "SparkSession (under spark-submit, pass them by --conf)"
    )
    assert stopped.startswith("the SparkSession was stopped")
    assert slots.startswith("the SparkSession has 4 slots for 8 workers, which would wait for ever: add ")
    assert memory.startswith("--memory can't be given with a live SparkSession: ")
    assert mode.startswith("--mode local can't be given with a live SparkSession: ")


def test_a_run_that_does_not_end_well_is_cancelled_and_the_session_lives(program: Program) -> None:
    assert program.found["failure"] == "DMLScriptException: x is too large: 3"
    assert program.found["statuses"], "it was interrupted while its jobs ran"
    assert set(program.found["statuses"]) == {"FAILED"}
    assert program.found["death"].startswith("the session's process died (signal 9), as when memory runs out")


def test_the_session_is_afterwards_as_it_was(program: Program) -> None:
    assert program.found["changed"] == {}
    assert program.printed == ["printed by the JVM"], "and nothing of the sessions"
    assert list((program.out / "temporary").glob("largebatch-*")) == []
