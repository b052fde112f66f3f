"""Studies as users carry them out: real sessions, real failures, kills at random moments."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.support.command import Run, call_in, start, wait_for
from tests.support.fault import fault
from tests.support.lent import Lender
from tests.support.outcomes import (
    MODES_AGREE,
    assert_equal_runs,
    results,
    runs,
    status,
    statuses,
    without_times,
)
from tests.support.patience import TIMEOUT_S
from tests.support.processes import send_to_all, session_processes, wait_until
from tests.support.samples import write_bars

pytestmark = [pytest.mark.systemds, pytest.mark.spark]

STUDY = """
name = "small"

[fixed]
dataset = "idx"
network = "softmax"
epochs = 3

[execution]
mode = "local"
memory = "512m"

[[grid]]
batch_size = [256, 400]
optimizer = ["sgd_momentum", "lars"]
"""
RUNS, EPOCHS = 4, 3
STALL_S = 60  # at least; starting a session, and running out of memory, have to take less
SLOWER = 3  # times as slow as the undisturbed sweep one may be, on a machine that others use as well


def sweep_arguments(data: Path, *more: str) -> list[str]:
    return ["sweep", "small.toml", "--data-dir", str(data), "--out", "out", *more]


def assert_equal(out: Path, undisturbed: Path) -> None:
    """Tables, results and models are those of the sweep that nothing happened to, to the last bit."""
    assert results(out) == results(undisturbed)
    for ours, theirs in zip(runs(out), runs(undisturbed), strict=True):
        assert_equal_runs(ours.path, theirs.path)


def in_the_last_run(out: Path) -> bool:
    return sum(run.last_epoch() for run in runs(out)) >= (RUNS - 1) * EPOCHS


def finished_files(out: Path) -> dict[Path, int]:
    """When the files of finished runs were written."""
    return {
        file: file.stat().st_mtime_ns
        for run in runs(out)
        if status(run) == "finished"
        for file in (run.result_file, run.metrics_file, run.model_file)
    }


@contextmanager
def sweeping(data: Path, folder: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    """A sweep in the background, which does not outlive its test."""
    process = start(sweep_arguments(data, *more), folder)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def over(process: subprocess.Popen[str]) -> bool:
    """Whether the process has ended."""
    return process.poll() is not None


@dataclass(frozen=True)
class Undisturbed:
    """A sweep that nothing happened to."""

    out: Path
    printed: str
    said: str
    seconds: float


@pytest.fixture(scope="module")
def undisturbed(bars: Path, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "small.toml").write_text(STUDY)
    begun = time.monotonic()
    with sweeping(bars, folder) as process:
        printed, said = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, said
    return Undisturbed(folder / "out", printed, said, time.monotonic() - begun)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """The folder of a sweep to come; the study lies beside it."""
    (tmp_path / "small.toml").write_text(STUDY)
    return tmp_path / "out"


# ---- the plain path ----


def test_a_sweep_leaves_a_study_and_prints_its_results(undisturbed: Undisturbed) -> None:
    record = json.loads((undisturbed.out / "study.json").read_text())
    assert (record["name"], record["varied"]) == ("small", ["optimizer", "learning_rate", "batch_size"])
    assert statuses(undisturbed.out) == ["finished"] * RUNS
    assert (undisturbed.out / "log.txt").read_text().count("session begun") == 1
    assert all("SystemDS" in run.log.read_text() for run in runs(undisturbed.out))
    title, _, *rows, last = undisturbed.printed.splitlines()
    assert title.startswith("small (IDX folder ")
    assert [row.split()[:2] for row in rows] == [
        ["sgd_momentum", "256"], ["lars", "256"], ["sgd_momentum", "400"], ["lars", "400"],
    ]  # fmt: skip
    assert last == "Next: largebatch report out"
    assert "[4/4] lars 400  epoch 3/3" in undisturbed.said.splitlines()[-1]
    assert undisturbed.said.endswith("12/12 epochs of all, 0s left\n")


def test_spark_mode_agrees_and_only_what_is_asked_for_runs_side_by_side(
    largebatch: Run, bars: Path, out: Path, undisturbed: Undisturbed
) -> None:
    arguments = sweep_arguments(bars, "--mode", "spark", "--jobs", "2", "--runs", "elsewhere")
    done = largebatch(*arguments, "--only", "batch_size=400")
    assert done.returncode == 0, done.stderr
    assert statuses(out) == [None, None, "finished", "finished"]
    assert (out / "log.txt").read_text().count("session begun") == 2
    assert len(list((out.parent / "elsewhere").iterdir())) == 2
    for ours, theirs in zip(runs(out)[2:], runs(undisturbed.out)[2:], strict=True):
        pd.testing.assert_frame_equal(
            without_times(ours.path), without_times(theirs.path), rtol=MODES_AGREE, atol=MODES_AGREE
        )
    plan = call_in(out.parent, *arguments, "--dry-run")
    assert "4 runs: 2 new, 2 finished; 6 epochs to do, about " in plan.stdout
    assert "(as 6 epochs took here)" in plan.stdout


@pytest.mark.slow
def test_a_sweep_out_of_time_stops_between_epochs_and_goes_on_to_the_same_tables(
    lender: Lender, bars: Path, out: Path, undisturbed: Undisturbed
) -> None:
    seconds = math.ceil(SLOWER * undisturbed.seconds)  # for the first epoch; the others are kept from it
    limits = ("--limit-time", f"{seconds}s", "--stall-timeout", str(600 + seconds))
    with sweeping(bars, out.parent, *limits) as process:
        wait_for(process, "small: 4 runs")
        begun = time.monotonic()
        wait_for(process, "epoch 1/3")
        all_of_it = [process.pid, *session_processes(str(out.parent / "largebatch-"))]
        send_to_all(all_of_it, signal.SIGSTOP)
        time.sleep(max(0, begun + seconds - time.monotonic()))
        send_to_all(all_of_it, signal.SIGCONT)
        _, said = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 3, said
    assert "time is up; the same command goes on with the others" in said
    assert "failed" not in said
    done = [run.last_epoch() for run in runs(out)]
    assert 1 <= sum(done) < RUNS * EPOCHS
    going_on = lender.run(out.parent, *sweep_arguments(bars))
    assert going_on.returncode == 0, going_on.stderr
    assert going_on.stderr.count("  epoch ") == RUNS * EPOCHS - sum(done), "none is done twice"
    assert_equal(out, undisturbed.out)


def test_a_second_sweep_on_the_folder_is_refused_and_an_interrupt_says_how_to_go_on(
    bars: Path, out: Path
) -> None:
    temporary = str(out.parent / "largebatch-")
    with sweeping(bars, out.parent) as process:
        wait_until(lambda: (out / "study.json").exists() and bool(session_processes(temporary)))
        second = call_in(out.parent, *sweep_arguments(bars))
        assert second.returncode == 2
        assert "out is in use by another process: wait for it, or stop it" in second.stderr
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 130
    assert said.endswith("largebatch: interrupted; the same command goes on from the last epoch\n")
    assert session_processes(temporary) == []
    assert list(out.parent.glob("largebatch-*")) == []


# ---- kills ----


@pytest.mark.slow
@fault(
    "The supervisor of a sweep is killed",
    "kill -9 of `largebatch sweep` at a random moment",
    "no JVM is left; the same command leaves finished runs alone and gives the same tables and models to the "
    "last bit",
    quick=True,
)
def test_a_sweep_killed_at_any_moment_goes_on_to_the_same_tables(
    lender: Lender, bars: Path, out: Path, undisturbed: Undisturbed
) -> None:
    temporary = str(out.parent / "largebatch-")
    begun = time.monotonic()
    moment = np.random.default_rng(1).uniform(0, undisturbed.seconds)
    with sweeping(bars, out.parent) as process:
        wait_until(lambda: bool(session_processes(temporary)))
        wait_until(lambda: time.monotonic() > begun + moment or in_the_last_run(out))  # it may be faster, too
        process.kill()
        process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == -signal.SIGKILL
    wait_until(lambda: not session_processes(temporary))
    finished = finished_files(out)
    resumed = lender.run(out.parent, *sweep_arguments(bars))
    assert resumed.returncode == 0, resumed.stderr
    assert {file: file.stat().st_mtime_ns for file in finished} == finished, "finished runs are left alone"
    assert_equal(out, undisturbed.out)
    assert list(out.parent.glob("largebatch-*")) == []


# ---- failures in the middle ----


@pytest.mark.slow
def test_a_stalled_run_and_one_without_memory_do_not_stop_the_rest(
    lender: Lender, out: Path, tmp_path: Path, undisturbed: Undisturbed
) -> None:
    patience = max(STALL_S, math.ceil(SLOWER * undisturbed.seconds))
    (tmp_path / "small.toml").write_text(HUNGRY)
    (tmp_path / "data").mkdir()
    data = write_bars(tmp_path / "data", 400, 128, 5)
    with sweeping(data, tmp_path, "--stall-timeout", str(patience)) as process:
        begun = (out / "study.json").exists
        wait_until(lambda: over(process) or (begun() and runs(out)[1].last_epoch() >= 1))
        assert not over(process), process.communicate()[1]
        send_to_all(session_processes(str(tmp_path / "largebatch-")), signal.SIGSTOP)
        _, said = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 1, said
    assert statuses(out) == ["finished", "failed", "failed", "finished"]
    stalled, starved = results(out)[1:3]
    assert stalled["reason"].startswith(f"stalled: no sign of life for {patience} s; if it was only slow, ")
    assert starved["reason"].startswith("the JVM ran out of memory: raise --memory (now 512m)")
    assert [line.split(": ")[1] for line in said.splitlines() if line.startswith("failed: ")] == [
        run.path.name for run in runs(out)[1:3]
    ]
    assert "2 of 4 runs are done: not all runs came to their end; the same command goes on" in said
    again = lender.run(tmp_path, *sweep_arguments(data, "--only", "network=softmax"))
    assert again.returncode == 0, again.stderr
    assert statuses(out) == ["finished", "finished", "failed", "finished"]


HUNGRY = """
name = "small"

[fixed]
dataset = "idx"
epochs = 3
workers = 1

[execution]
mode = "local"
memory = "512m"

[[grid]]
network = "softmax"
batch_size = 32
optimizer = ["sgd", "lars"]

[[grid]]   # a map of its first layer is 315 MB: with its gradient more than the heap
network = "lenet"
batch_size = 400
micro_batch = 400

[[grid]]
network = "softmax"
batch_size = 400
"""
