"""Sweeps that take their runs from a queue which grows as results come in, in made-up sessions."""

from __future__ import annotations

import dataclasses
import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from largebatch.errors import RunError
from largebatch.records.result import Result
from largebatch.records.study_folder import StudyFolder
from largebatch.settings.execution import Execution
from largebatch.settings.study import Study
from largebatch.settings.training import Training
from largebatch.studies import lane
from largebatch.studies.estimate import Timing
from largebatch.studies.queue import Fits, ListQueue
from largebatch.studies.remaining import Remaining
from largebatch.studies.sweep import Limits, Sweep
from largebatch.studies.tasks import Task, survey
from tests.support.patience import TIMEOUT_S
from tests.support.samples import dataset
from tests.support.stage import FakeSession, Stage, let_epochs_take, set_up

RUNS = tuple(
    Training(dataset="idx", network="softmax", optimizer="sgd", batch_size=size, epochs=3)
    for size in (8, 16, 20, 40)
)
EXECUTION = Execution(mode="local", memory="512m")
DATA = {("idx", 0, 0, True): dataset()}


class Halving:
    """All runs for one epoch; then those with the smaller batches, half of them, to their end."""

    most_workers = 4

    def __init__(self, tasks: list[Task]) -> None:
        self._waiting = deque(dataclasses.replace(task, until=1) for task in tasks)
        self._first_round = len(tasks)
        self.told: list[tuple[int, int | None, str | None]] = []  # batch size, until, status
        self._paused: list[Task] = []

    @property
    def may_grow(self) -> bool:
        return len(self.told) < self._first_round

    def next(self, fits: Fits) -> Task | None:
        return self._waiting.popleft() if self._waiting and fits(self._waiting[0]) else None

    def ended(self, task: Task, result: Result | None) -> None:
        self.told.append((task.training.batch_size, task.until, result.status.value if result else None))
        if result is not None and result.status == "paused":
            self._paused.append(dataclasses.replace(task, until=None, epochs_done=1))
        if len(self.told) == self._first_round:
            self._paused.sort(key=lambda paused: paused.training.batch_size)
            self._waiting.extend(self._paused[: self._first_round // 2])


@dataclass
class Swept:
    queue: Halving
    tasks: list[Task]
    out_of_time: bool

    @property
    def states(self) -> list[str]:
        return [str(task.result.status) if task.result else task.state for task in self.tasks]


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch, cache_home: Path) -> Stage:
    monkeypatch.setattr(lane, "Session", FakeSession)
    return set_up(monkeypatch)


def carry_out(out: Path, shared: Path | None = None, **limits: Any) -> Swept:
    study = Study("small", "", "", RUNS)
    folder = StudyFolder(out, shared)
    with folder.lock():
        folder.write(study, EXECUTION)
        tasks = survey(study, folder, {}, DATA)
        queue = Halving(tasks)
        limited = Limits(**limits)
        remaining = Remaining([], Timing(), limited.jobs)
        going = Sweep(
            folder, queue, lambda task: task.name, DATA, EXECUTION, limited, remaining, lambda line: None
        )
        going.carry_out()
        return Swept(queue, survey(study, folder, {}, DATA), going.out_of_time)


def epochs(stage: Stage) -> list[tuple[int, int]]:
    return [(batch_size, epoch) for *_, batch_size, epoch in stage.trained]


def test_runs_that_come_from_results_are_carried_out_in_the_same_session(
    stage: Stage, tmp_path: Path
) -> None:
    swept = carry_out(tmp_path)
    assert epochs(stage) == [(8, 1), (16, 1), (20, 1), (40, 1), (8, 2), (8, 3), (16, 2), (16, 3)]
    assert swept.states == ["finished", "finished", "paused", "paused"]
    assert stage.began == [4] and stage.ended == [(0, None)]
    assert swept.queue.told == [
        (8, 1, "paused"), (16, 1, "paused"), (20, 1, "paused"), (40, 1, "paused"),
        (8, None, "finished"), (16, None, "finished"),
    ]  # fmt: skip


def test_a_lane_without_a_run_waits_for_those_to_come(stage: Stage, tmp_path: Path) -> None:
    """The two runs of the second round must be carried out at a time, whoever has ended the first round."""
    together = threading.Barrier(2, timeout=TIMEOUT_S)

    def act(session: FakeSession, batch_size: int, epoch: int) -> None:
        if epoch == 2:
            together.wait()

    stage.act = act
    assert carry_out(tmp_path, jobs=2).states == ["finished", "finished", "paused", "paused"]
    assert len(stage.began) == 2 and stage.most_running == 2
    assert sorted(epochs(stage)) == [(8, 1), (8, 2), (8, 3), (16, 1), (16, 2), (16, 3), (20, 1), (40, 1)]


def test_failures_are_told_to_the_queue(stage: Stage, tmp_path: Path) -> None:
    def act(session: FakeSession, batch_size: int, epoch: int) -> None:
        if batch_size == 16:
            raise RunError("the JVM died")

    stage.act = act
    occupied = StudyFolder(tmp_path / "out", tmp_path / "shared").run(RUNS[0])
    occupied.path.mkdir(parents=True)
    with occupied.lock():
        swept = carry_out(tmp_path / "out", tmp_path / "shared")
    assert swept.queue.told == [
        (16, 1, "failed"), (20, 1, "paused"), (40, 1, "paused"), (8, 1, None),
        (20, None, "finished"), (40, None, "finished"),
    ]  # fmt: skip
    assert swept.states == ["new", "failed", "finished", "finished"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyError("a bug")])
def test_a_lane_that_waits_ends_with_the_sweep(stage: Stage, tmp_path: Path, error: Exception) -> None:
    waits = threading.Event()

    class Told(Halving):
        def next(self, fits: Fits) -> Task | None:
            task = super().next(fits)
            if task is None:
                waits.set()
            return task

    def act(session: FakeSession, batch_size: int, epoch: int) -> None:
        if batch_size == 40:
            assert waits.wait(TIMEOUT_S), "the other lane has found nothing"
            raise error

    stage.act = act
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.driver.studies.test_queue.Halving", Told)
        with pytest.raises(type(error)):
            carry_out(tmp_path, jobs=2)
    assert len(stage.ended) == len(stage.began) == 2


def test_a_run_that_the_time_limit_stops_is_not_told(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_epochs_take(10, stage, monkeypatch)
    swept = carry_out(tmp_path, seconds=55)
    assert epochs(stage) == [(8, 1), (16, 1), (20, 1), (40, 1), (8, 2)]
    assert swept.out_of_time
    assert [told[0] for told in swept.queue.told] == [8, 16, 20, 40]


def test_a_list_gives_its_runs_in_order_and_ends(tmp_path: Path) -> None:
    study = Study("small", "", "", RUNS)
    tasks = survey(study, StudyFolder(tmp_path), {}, DATA)
    queue = ListQueue(tasks)
    assert queue.next(lambda task: False) is None
    assert [queue.next(lambda task: True) for _ in range(5)] == [*tasks, None]
    assert not queue.may_grow
    assert queue.most_workers == 4
    assert ListQueue([]).most_workers == 1
