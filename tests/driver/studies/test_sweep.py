"""Sweeps over sessions that are made up: who trains what in which session, and what failures lead to."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from largebatch.engine.host import Host
from largebatch.engine.own import OWN_JVM
from largebatch.engine.submitted import SubmittedJvm
from largebatch.errors import RunError
from largebatch.records.study_folder import StudyFolder
from largebatch.settings.execution import Execution
from largebatch.settings.study import Study
from largebatch.settings.training import Training
from largebatch.studies import lane, sweep
from largebatch.studies.command import titles
from largebatch.studies.estimate import Timing
from largebatch.studies.queue import ListQueue
from largebatch.studies.remaining import Remaining
from largebatch.studies.sweep import Limits, Sweep
from largebatch.studies.tasks import Task, survey
from tests.support.patience import TIMEOUT_S
from tests.support.samples import dataset
from tests.support.stage import Act, FakeSession, Stage, set_up

RUNS = tuple(
    Training(dataset="idx", network="softmax", batch_size=size, epochs=3, optimizer=optimizer)
    for size in (8, 16, 40)
    for optimizer in ("sgd", "lars")
)
EXECUTION = Execution(mode="local", memory="512m")
DATA = {("idx", 0, 0, True): dataset()}


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch, cache_home: Path) -> Stage:
    monkeypatch.setattr(lane, "Session", FakeSession)
    return set_up(monkeypatch)


@dataclass
class Swept:
    tasks: list[Task]
    out_of_time: bool
    said: list[str]

    @property
    def states(self) -> list[str]:
        return [task.state for task in self.tasks]

    @property
    def reasons(self) -> list[str]:
        return [str(task.result.reason) for task in self.tasks if task.result and not task.ended]


def carry_out(
    out: Path,
    runs: tuple[Training, ...] = RUNS,
    shared: Path | None = None,
    host: Host = OWN_JVM,
    **limits: Any,
) -> Swept:
    """A sweep as sweep_command makes it."""
    study = Study("small", "", "", runs)
    folder = StudyFolder(out, shared)
    said: list[str] = []
    with folder.lock():
        folder.write(study, EXECUTION)
        tasks = survey(study, folder, {}, DATA)
        limited = Limits(**limits)
        remaining = Remaining(tasks, Timing(), limited.jobs)
        names = titles(study, tasks)
        going = Sweep(
            folder,
            ListQueue(tasks, failed_last=not host.can_restart),
            lambda task: names[task.name],
            DATA,
            EXECUTION,
            limited,
            remaining,
            said.append,
            host,
        )
        going.carry_out()
        return Swept(survey(study, folder, {}, DATA), going.out_of_time, said)


def sessions(stage: Stage) -> dict[int, list[int]]:
    """Batch sizes that each session trained, each once per run."""
    found: dict[int, list[int]] = {}
    for session, _, batch_size, epoch in stage.trained:
        if epoch == 1:
            found.setdefault(session, []).append(batch_size)
    return found


# ---- sessions ----


def test_one_session_serves_all_runs_and_converts_the_data_once(stage: Stage, tmp_path: Path) -> None:
    swept = carry_out(tmp_path / "out")
    assert swept.states == ["finished"] * 6
    assert sessions(stage) == {0: [8, 8, 16, 16, 40, 40]}
    assert stage.ended == [(0, None)]
    assert sorted(stage.converted) == ["test_images", "test_labels", "train_images", "train_labels"]


def test_what_is_finished_is_not_done_again(stage: Stage, tmp_path: Path) -> None:
    carry_out(tmp_path / "out")
    files = {task: task.stat().st_mtime_ns for task in (tmp_path / "out").rglob("result.json")}
    assert carry_out(tmp_path / "out").states == ["finished"] * 6
    assert len(stage.trained) == 18 and stage.began == [4]
    assert {task: task.stat().st_mtime_ns for task in files} == files


def test_lost_metrics_of_a_finished_run_are_restored_and_nothing_is_trained(
    stage: Stage, tmp_path: Path
) -> None:
    carry_out(tmp_path / "out")
    before = {file: file.read_bytes() for file in (tmp_path / "out" / "runs").glob("*/*.*")}
    files = sorted((tmp_path / "out").rglob("metrics.csv"))
    files[0].unlink()
    files[1].write_text("damaged\n")
    assert carry_out(tmp_path / "out").states == ["finished"] * 6
    assert {file: file.read_bytes() for file in before} == before
    assert len(stage.trained) == 18 and stage.began == [4]


def test_isolated_runs_have_a_session_each(stage: Stage, tmp_path: Path) -> None:
    carry_out(tmp_path / "out", isolate=True)
    assert list(sessions(stage)) == list(range(6))
    assert stage.ended == [(number, None) for number in range(6)]


def test_runs_with_other_numbers_of_workers_get_another_session(stage: Stage, tmp_path: Path) -> None:
    runs = (dataclasses.replace(RUNS[0], workers=2), *RUNS[:2])
    assert carry_out(tmp_path / "out", runs).states == ["finished"] * 3
    assert stage.began == [2, 4]


def test_jobs_run_side_by_side_and_each_run_once(stage: Stage, tmp_path: Path) -> None:
    together = threading.Barrier(2, timeout=TIMEOUT_S)

    def act(session: FakeSession, batch_size: int, epoch: int) -> None:
        if (batch_size, epoch) == (8, 1):  # the first of both sessions
            together.wait()

    stage.act = act
    assert carry_out(tmp_path / "out", jobs=2).states == ["finished"] * 6
    assert stage.most_running == 2
    assert len(stage.began) == 2
    assert len(stage.trained) == len(set(stage.trained)) == 18


# ---- failures ----


def failing(batch_size: int, at_epoch: int, error: Exception) -> Act:
    def act(session: FakeSession, size: int, epoch: int) -> None:
        if (size, epoch) == (batch_size, at_epoch):
            raise error

    return act


def test_a_run_that_fails_is_recorded_and_the_others_go_on_in_a_new_session(
    stage: Stage, tmp_path: Path
) -> None:
    stage.act = failing(16, 2, RunError("the JVM died"))
    swept = carry_out(tmp_path / "out")
    assert swept.states == [*["finished"] * 2, *["failed, again from epoch 1"] * 2, *["finished"] * 2]
    assert swept.reasons == ["the JVM died"] * 2
    assert swept.said == ["[3/6] sgd 16  failed: the JVM died", "[4/6] lars 16  failed: the JVM died"]
    assert stage.ended == [(0, "RunError"), (1, "RunError"), (2, None)]
    log = (tmp_path / "out" / "log.txt").read_text()
    assert log.count("session begun") == 3 and log.count(" failed: the JVM died") == 2


def test_failed_runs_are_tried_again_from_their_last_epoch(stage: Stage, tmp_path: Path) -> None:
    stage.act = failing(16, 2, RunError("the JVM died"))
    carry_out(tmp_path / "out")
    del stage.trained[:]
    stage.act = Stage.act
    assert carry_out(tmp_path / "out").states == ["finished"] * 6
    assert [(batch, epoch) for _, _, batch, epoch in stage.trained] == [(16, 2), (16, 3)] * 2


def test_a_session_that_does_not_start_fails_its_run_only(stage: Stage, tmp_path: Path) -> None:
    stage.fail_to_start = 1
    swept = carry_out(tmp_path / "out")
    assert swept.states == ["failed, again new", *["finished"] * 5]
    assert swept.reasons == ["the JVM does not start"]


def test_sessions_that_never_start_are_not_tried_for_ever(stage: Stage, tmp_path: Path) -> None:
    stage.fail_to_start = 100
    assert carry_out(tmp_path / "out").states == [*["failed, again new"] * 2, *["new"] * 4]
    assert stage.fail_to_start == 98


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyError("a bug")])
def test_what_is_no_runs_failure_ends_the_sweep_and_its_sessions(
    stage: Stage, tmp_path: Path, error: Exception, jobs: int
) -> None:
    stage.act = failing(16, 2, error)
    with pytest.raises(type(error)):
        carry_out(tmp_path / "out", jobs=jobs)
    assert len(stage.ended) == len(stage.began)
    assert stage.running == 0
    stage.act = Stage.act
    assert carry_out(tmp_path / "out").states == ["finished"] * 6
    assert len(stage.trained) == len({what[1:] for what in stage.trained}) == 18, "no epoch was lost"


def test_a_run_in_use_elsewhere_is_tried_last_and_then_left(stage: Stage, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    folder = StudyFolder(tmp_path / "out", shared).run(RUNS[2])
    folder.path.mkdir(parents=True)
    with folder.lock():
        swept = carry_out(tmp_path / "out", shared=shared)
    assert swept.states == [*["finished"] * 2, "new", *["finished"] * 3]
    assert swept.said == [
        f"[3/6] sgd 16  failed: {folder.path} is in use by another process: wait for it, or stop it"
    ]
    assert not folder.result_file.exists(), "it is the other process' run"


def test_a_run_that_another_sweep_has_finished_meanwhile_is_taken(stage: Stage, tmp_path: Path) -> None:
    shared = tmp_path / "shared"

    def act(session: FakeSession, batch_size: int, epoch: int) -> None:
        if (batch_size, epoch, len(stage.trained)) == (8, 1, 0):
            stage.act = Stage.act
            carry_out(tmp_path / "other", RUNS[2:], shared=shared)

    stage.act = act
    assert carry_out(tmp_path / "out", shared=shared).states == ["finished"] * 6
    assert len(stage.trained) == len({what[1:] for what in stage.trained}) == 18


# ---- batch jobs ----


def test_a_batch_job_has_one_session_with_slots_for_all_runs(stage: Stage, tmp_path: Path) -> None:
    runs = (dataclasses.replace(RUNS[0], workers=2), *RUNS[:2])
    assert carry_out(tmp_path / "out", runs, host=SubmittedJvm()).states == ["finished"] * 3
    assert stage.began == [4]


def test_a_batch_job_ends_with_the_first_failure_and_the_next_one_begins_with_the_others(
    stage: Stage, tmp_path: Path
) -> None:
    stage.act = failing(16, 2, RunError("stalled"))
    swept = carry_out(tmp_path / "out", host=SubmittedJvm())
    assert swept.states == [*["finished"] * 2, "failed, again from epoch 1", *["new"] * 3]
    assert stage.ended == [(0, "RunError")]
    del stage.trained[:]
    stage.act = Stage.act
    assert carry_out(tmp_path / "out", host=SubmittedJvm()).states == ["finished"] * 6
    assert [(batch, epoch) for _, _, batch, epoch in stage.trained][-2:] == [(16, 2), (16, 3)]


# ---- time ----


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, stage: Stage) -> Iterator[list[float]]:
    """A clock that an epoch moves by 10 seconds, and other work not at all."""
    now = [0.0]
    monkeypatch.setattr(sweep, "time", type("Clock", (), {"monotonic": staticmethod(lambda: now[0])}))

    def act(session: FakeSession, batch_size: int, epoch: int) -> None:
        now[0] += 10

    stage.act = act
    yield now


@pytest.mark.parametrize(
    ("seconds", "epochs"),
    [(9, 0), (11.1, 1), (19, 1), (20, 2), (30, 3), (39, 3), (40, 4), (179, 17), (180, 18)],
)
def test_no_epoch_begins_that_would_end_after_the_limit(
    stage: Stage, clock: list[float], tmp_path: Path, seconds: float, epochs: int
) -> None:
    swept = carry_out(tmp_path / "out", seconds=seconds)
    assert len(stage.trained) == epochs
    assert swept.out_of_time == (epochs < 18)
    assert [task.ended for task in swept.tasks] == [epochs >= 3 * n for n in range(1, 7)]
    assert swept.reasons == [], "being stopped is no failure"


def test_a_sweep_in_pieces_is_the_whole(stage: Stage, clock: list[float], tmp_path: Path) -> None:
    sittings = 0
    while carry_out(tmp_path / "out", seconds=50).out_of_time:
        sittings += 1
    assert sittings >= 3
    assert len(stage.trained) == len({what[1:] for what in stage.trained}) == 18
    assert {number for number, _ in stage.ended} == set(range(len(stage.began)))


def test_the_last_epoch_of_a_run_leaves_its_session_to_the_next(
    stage: Stage, clock: list[float], tmp_path: Path
) -> None:
    carry_out(tmp_path / "out", seconds=35)
    assert stage.ended == [(0, None)], "time was up between runs"


# ---- being stopped ----


def test_a_stop_reaches_every_session_and_records_no_failure(stage: Stage, tmp_path: Path) -> None:
    def act(session: FakeSession, batch_size: int, epoch: int) -> None:
        if len(stage.trained) >= 7:
            raise KeyboardInterrupt  # as in the main thread, which then stops all

    stage.act = act
    with pytest.raises(KeyboardInterrupt):
        carry_out(tmp_path / "out", jobs=2)
    assert len(stage.ended) == len(stage.began)
    stage.act = Stage.act
    again = carry_out(tmp_path / "out")
    assert again.states == ["finished"] * 6
    assert len(stage.trained) == len({what[1:] for what in stage.trained}) == 18


# ---- titles ----


def test_titles_tell_the_place_and_what_varies() -> None:
    runs = (RUNS[0], dataclasses.replace(RUNS[0], seed=2), dataclasses.replace(RUNS[0], learning_rate=0.5))
    study = Study("small", "", "", runs)
    folder = StudyFolder(Path("nowhere"))
    assert list(titles(study, survey(study, folder, {}, DATA)).values()) == [
        "[1/3] sgd 8 seed 1 learning_rate 0.01",
        "[2/3] sgd 8 seed 2 learning_rate 0.01",
        "[3/3] sgd 8 seed 1 learning_rate 0.5",
    ]
