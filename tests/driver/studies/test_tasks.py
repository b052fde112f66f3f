"""Which runs are wanted, how they stand, and how long the rest takes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from largebatch.data.validation import cut_validation
from largebatch.errors import UserError
from largebatch.records.result import Status
from largebatch.records.run_folder import RunFolder
from largebatch.records.study_folder import StudyFolder
from largebatch.settings.execution import Execution
from largebatch.settings.selection import select
from largebatch.settings.study import Study, run_name
from largebatch.settings.training import Training
from largebatch.studies.estimate import Timing
from largebatch.studies.remaining import Remaining
from largebatch.studies.tasks import Task, format_tasks, measured, survey
from tests.support.samples import dataset
from tests.support.study_samples import metrics, result

BASE = Training(dataset="idx", network="softmax", batch_size=8, epochs=4, optimizer="sgd")
RUNS = tuple(
    dataclasses.replace(BASE, batch_size=size, optimizer=optimizer, learning_rate=None, seed=seed)
    for size in (8, 16, 40)
    for seed in (1, 2)
    for optimizer in ("sgd", "lars")
)
SMALL = Study("small", "", "", RUNS)
DATA = {("idx", 0, 0, True): dataset()}


# ---- --only ----


@pytest.mark.parametrize(
    ("only", "count"),
    [
        ({}, 12),
        ({"optimizer": ["lars"]}, 6),
        ({"optimizer": ["lars"], "batch_size": ["8", "40"]}, 4),
        ({"optimizer": ["lars", "sgd"], "seed": ["2"]}, 6),
        ({"learning_rate": ["1"]}, 6),
        ({"learning_rate": ["1e-2"], "adapt_biases": ["true"]}, 6),
        ({"dataset": ["idx"], "batch_size": ["16.0"], "seed": ["1"]}, 2),
    ],
)
def test_only_runs_that_have_one_of_each_settings_values(only: dict[str, list[str]], count: int) -> None:
    runs = select(SMALL.runs, only, SMALL.name)
    assert len(runs) == count
    assert runs == [run for run in RUNS if run in runs], "in the study's order"


@pytest.mark.parametrize(
    ("only", "words"),
    [
        ({"colour": ["red"]}, "--only colour=red: there is no such setting; `largebatch train"),
        ({"batch_size": ["8", "32"]}, "--only batch_size=32: no run of small has it; there are 8, 16, 40"),
        ({"batch_size": ["many"]}, "--only batch_size=many: no run of small has it"),
        ({"optimizer": ["sgd"], "learning_rate": ["1"]}, "no run of small has all that --only asks for"),
    ],
)
def test_only_what_is_there_can_be_asked_for(only: dict[str, list[str]], words: str) -> None:
    with pytest.raises(UserError) as refusal:
        select(SMALL.runs, only, SMALL.name)
    assert words in str(refusal.value)


# ---- how runs stand ----


def begin(folder: StudyFolder, training: Training) -> RunFolder:
    return RunFolder.create(
        folder.run(training).path, training, Execution(mode="local"), DATA["idx", 0, 0, True]
    )


@pytest.mark.parametrize(
    ("status", "state", "left"),
    [
        (None, "new", 4),
        ("finished", "finished", 0),
        ("diverged", "diverged", 0),
        ("failed", "failed, again new", 4),
        ("paused", "new", 4),
    ],
)
def test_what_has_ended_is_left_alone_and_all_else_is_to_do(
    tmp_path: Path, status: str | None, state: str, left: int
) -> None:
    folder = StudyFolder(tmp_path)
    run = begin(folder, RUNS[0])
    if status:
        run.write_result(result(RUNS[0], Status(status), 0))
        metrics(RUNS[0], 0).to_csv(run.metrics_file, index=False)
    task, other = survey(SMALL, folder, {"batch_size": ["8"], "seed": ["1"]}, DATA)
    assert (task.state, task.epochs_left, task.ended) == (state, left, left == 0)
    assert (other.state, other.name) == ("new", run_name(RUNS[1]))


def test_rows_are_those_that_validation_leaves(tmp_path: Path) -> None:
    runs = (RUNS[0], dataclasses.replace(RUNS[0], validation_rows=6))
    study = dataclasses.replace(SMALL, runs=runs)
    data = {training.data: cut_validation(dataset(), training.validation_rows) for training in runs}
    assert [task.rows for task in survey(study, StudyFolder(tmp_path), {}, data)] == [40, 34]


def test_a_result_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    begin(folder, RUNS[0]).result_file.write_text('{"status": "fini')
    assert survey(SMALL, folder, {}, DATA)[0].state == "new"


def test_runs_of_other_settings_or_data_are_refused(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    begin(folder, RUNS[0])
    with pytest.raises(UserError, match="was begun on other data than the tiny found now: name the folder"):
        survey(SMALL, folder, {}, {("idx", 0, 0, True): dataset(shift=1)})
    other = dataclasses.replace(RUNS[1], momentum=0.5)
    RunFolder.create(folder.run(RUNS[1]).path, other, Execution(), DATA["idx", 0, 0, True])
    with pytest.raises(
        UserError, match="is a run with other settings: name another folder by --out or --runs"
    ):
        survey(SMALL, folder, {}, DATA)


# ---- time ----


def task(training: Training, done: int = 0, rows: int = 1000) -> Task:
    return Task(training, RunFolder(Path(run_name(training))), rows, None, done)


def test_without_a_measurement_the_estimate_is_rough_and_of_the_network() -> None:
    timing = Timing()
    lenet, resnet8 = (dataclasses.replace(BASE, network=name) for name in ("lenet", "resnet8"))
    assert timing.epoch(lenet, 60_000) == 1 + 25
    assert timing.epoch(resnet8, 60_000) == 1 + 375
    assert timing.basis == "not measured yet: 2400 images/s for lenet, 160 images/s for resnet8"
    timing.add(resnet8, 1000, 10)
    assert timing.basis == "as 1 epoch took here; not measured yet: 2400 images/s for lenet"
    assert timing.epoch(dataclasses.replace(lenet, padding="valid"), 60_000) == 1 + 12


def test_estimates_come_from_the_nearest_batch_size_of_the_same_network() -> None:
    timing = Timing()
    timing.add(dataclasses.replace(BASE, batch_size=64), 1000, 10)
    timing.add(dataclasses.replace(BASE, batch_size=64), 1000, 20)
    timing.add(dataclasses.replace(BASE, batch_size=1024), 1000, 3)
    timing.add(dataclasses.replace(BASE, network="lenet"), 1000, 99)
    seconds = [
        timing.epoch(dataclasses.replace(BASE, batch_size=size), 500) for size in (8, 64, 200, 400, 4096)
    ]
    assert seconds == [7.5, 7.5, 7.5, 1.5, 1.5]
    assert timing.measured == 4


def test_old_measurements_are_forgotten() -> None:
    timing = Timing()
    for seconds in (100, 100, 1, 1, 1, 1, 1):
        timing.add(BASE, 10, seconds)
    assert timing.epoch(BASE, 10) == 1


def test_a_plan_shows_states_and_adds_up() -> None:
    tasks = [
        task(RUNS[0]),
        task(RUNS[1], done=3),
        dataclasses.replace(task(RUNS[2], done=4), result=result(RUNS[2], Status.FINISHED, 4)),
    ]
    timing = Timing()
    assert format_tasks(tasks, timing, 1).endswith(
        "3 runs: 1 new, 1 to go on with, 1 finished; 5 epochs to do, about 6s "
        "(not measured yet: 10000 images/s for softmax)"
    )
    timing.add(BASE, 1000, 60)
    lines = format_tasks(tasks, timing, 2).splitlines()
    assert [line.split() for line in lines[:4]] == [
        ["run", "state", "epochs", "to", "do", "time"],
        ["idx-softmax-sgd-b8-e4-s1", "new", "4", "4m00s"],
        ["idx-softmax-lars-b8-e4-s1", "from", "epoch", "3", "1", "1m00s"],
        ["idx-softmax-sgd-b8-e4-s2", "finished", "0", "-"],
    ]
    assert lines[4] == (
        "3 runs: 1 new, 1 to go on with, 1 finished; 5 epochs to do, about 2m30s (as 1 epoch took here)"
    )


def test_epochs_are_counted_and_teach_how_long_others_take() -> None:
    tasks = [task(RUNS[0]), task(RUNS[1], done=1)]
    remaining = Remaining(tasks, measured(tasks), jobs=1)
    remaining.epoch_done(tasks[0], 10)
    assert str(remaining) == "2/8 epochs of all, 1m00s left"
    remaining.epoch_done(tasks[0], 20)
    assert str(remaining) == "3/8 epochs of all, 1m15s left"
    assert remaining.epoch_seconds(tasks[1]) == 15
    remaining.drop(tasks[1])
    assert str(remaining) == "6/8 epochs of all, 30s left"


def test_epochs_of_runs_that_come_later_or_go_further_are_added() -> None:
    first = dataclasses.replace(task(RUNS[0]), until=1)
    remaining = Remaining([first], measured([first]), jobs=1)
    remaining.epoch_done(first, 10)
    assert str(remaining) == "1/1 epochs of all, 0s left"
    remaining.expect(first)
    assert str(remaining) == "1/1 epochs of all, 0s left"
    remaining.expect(dataclasses.replace(first, until=3, epochs_done=1))
    remaining.expect(dataclasses.replace(task(RUNS[2]), until=2))
    assert str(remaining) == "1/5 epochs of all, 40s left"


@pytest.mark.parametrize(("until", "left"), [(None, 3), (1, 0), (3, 2), (4, 3)])
def test_a_run_that_goes_only_so_far_now_has_so_many_epochs_left(until: int | None, left: int) -> None:
    paused = result(RUNS[0], Status.PAUSED, 1)
    found = dataclasses.replace(task(RUNS[0], done=1), result=paused, until=until)
    assert (found.epochs_left, found.ended) == (left, left == 0)
