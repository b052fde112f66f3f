"""Jobs in made-up sessions: how far they go, what they leave behind, and how they end."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest

from largebatch.engine.session import Session
from largebatch.errors import RunError
from largebatch.records.metrics import EPOCH_COLUMNS
from largebatch.records.result import EpochRow, Result, Status
from largebatch.records.run_folder import RunFolder
from largebatch.runs.job import Job
from largebatch.settings.execution import Execution
from largebatch.settings.training import Training
from tests.support.samples import dataset
from tests.support.stage import FakeSession, Stage, let_epochs_take, set_up
from tests.support.study_samples import epoch_row

TRAINING = Training(dataset="idx", network="softmax", optimizer="lars", batch_size=16, epochs=4)
EXECUTION = Execution(mode="local", memory="512m")
DATA = dataset()


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch, cache_home: Path) -> Stage:
    return set_up(monkeypatch)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "run", TRAINING, EXECUTION, DATA)


def carry_out(folder: RunFolder | None, **more: Any) -> Result:
    with FakeSession(EXECUTION, 4, Path("log.txt")) as session:
        made_up: Any = session
        found: Session = made_up
        return Job(TRAINING, EXECUTION, DATA, folder, **more).carry_out(found)


def epochs_trained(stage: Stage) -> list[int]:
    return [epoch for *_, epoch in stage.trained]


def test_a_job_trains_all_epochs_and_records_its_result(stage: Stage, folder: RunFolder) -> None:
    result = carry_out(folder)
    assert (result.status, result.epochs, result.updates) == (Status.FINISHED, 4, 20)
    assert (result.train_accuracy, result.test_accuracy, result.generalization_error) == (0.5, 0.25, 0.25)
    assert result.seconds == 4 * (0.75 + 0.125)
    assert (result.dataset, result.folder) == ("tiny", str(folder.path))
    assert folder.result() == result
    assert folder.model_file.exists()


def test_only_the_result_of_a_run_that_depends_on_timing_says_so(stage: Stage, tmp_path: Path) -> None:
    found = []
    for protocol in ("hardsync", "async"):
        training = dataclasses.replace(TRAINING, protocol=protocol)
        folder = RunFolder.create(tmp_path / protocol, training, EXECUTION, DATA)
        with FakeSession(EXECUTION, 4, Path("log.txt")) as session:
            made_up: Any = session
            Job(training, EXECUTION, DATA, folder).carry_out(made_up)
        found.append(json.loads(folder.result_file.read_text()).get("reproducible"))
    assert found == [None, False]


def test_a_result_tells_what_its_job_took_beside_the_epochs(
    stage: Stage, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An epoch takes 2 s here, of which its row has 0.875."""
    let_epochs_take(2, stage, monkeypatch, "largebatch.runs.job.time")
    assert carry_out(folder, until=1).overhead_seconds == 2 - 0.875
    assert carry_out(folder).overhead_seconds == 3 * (2 - 0.875), "that of the last job"
    again = carry_out(folder)
    assert again.overhead_seconds is None and "overhead_seconds" not in again.to_mapping(), (
        "nothing is trained"
    )


def test_a_job_ends_after_the_epoch_it_was_to_reach(stage: Stage, folder: RunFolder) -> None:
    result = carry_out(folder, until=2)
    assert epochs_trained(stage) == [1, 2]
    assert (result.status, result.epochs, result.test_accuracy) == (Status.PAUSED, 2, 0.25)
    assert json.loads(folder.result_file.read_text())["status"] == "paused"


def test_jobs_in_turn_go_on_where_the_one_before_ended(stage: Stage, folder: RunFolder) -> None:
    results = [carry_out(folder, until=until) for until in (1, 3, 9)]
    assert epochs_trained(stage) == [1, 2, 3, 4]
    assert [result.status for result in results] == ["paused", "paused", "finished"]
    assert list(folder.metrics()["epoch"]) == [1, 2, 3, 4]


def test_a_job_that_others_have_overtaken_trains_nothing(stage: Stage, folder: RunFolder) -> None:
    carry_out(folder, until=3)
    result = carry_out(folder, until=2)
    assert epochs_trained(stage) == [1, 2, 3]
    assert (result.status, result.epochs) == (Status.PAUSED, 3)


def test_every_epoch_is_told_when_its_state_is_safe(stage: Stage, folder: RunFolder) -> None:
    rows: list[EpochRow] = []

    def hear(row: EpochRow) -> None:
        assert folder.last_epoch() == row.epoch
        rows.append(row)

    carry_out(folder, on_epoch=hear)
    assert [row.epoch for row in rows] == [1, 2, 3, 4]
    assert rows[-1].to_mapping() == folder.metrics().iloc[-1].to_dict()


def test_without_a_folder_nothing_is_kept_or_shown(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    rows: list[EpochRow] = []
    result = carry_out(None, on_epoch=rows.append)
    assert (result.status, result.folder, len(rows)) == (Status.FINISHED, None, 4)
    assert [path.name for path in tmp_path.iterdir()] == ["xdg"]
    assert capsys.readouterr() == ("", "")


def test_a_training_that_stops_early_has_diverged(
    stage: Stage, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop_early(self: FakeSession, program: str, arguments: dict[str, Any], **options: Any) -> None:
        train(self, program, arguments | {"until": 2}, **options)

    train = FakeSession.run
    monkeypatch.setattr(FakeSession, "run", stop_early)
    result = carry_out(folder, until=3)
    assert (result.status, result.epochs, result.test_accuracy) == (Status.DIVERGED, 2, None)


@pytest.mark.parametrize("loss", [math.nan, math.inf, 1e300])
@pytest.mark.parametrize("until", [4, 3])
def test_a_training_that_ends_with_a_loss_beyond_all_bounds_has_diverged(
    stage: Stage, folder: RunFolder, loss: float, until: int
) -> None:
    """In the last epoch, too: that a program made all its epochs does not tell."""
    place = EPOCH_COLUMNS.index("train_loss")

    def row(arguments: dict[str, Any], epoch: int) -> list[float]:
        values = epoch_row(epoch)
        return [*values[:place], loss, *values[place + 1 :]] if epoch == until else values

    stage.row = row
    result = carry_out(folder, until=until)
    assert (result.status, result.epochs, result.test_accuracy) == (Status.DIVERGED, until, None)


def test_a_failure_is_recorded_and_the_next_job_goes_on(stage: Stage, folder: RunFolder) -> None:
    def fail(session: FakeSession, batch_size: int, epoch: int) -> None:
        if epoch == 3:
            raise RunError("the JVM died")

    stage.act = fail
    with pytest.raises(RunError):
        carry_out(folder)
    failed = folder.result()
    assert failed is not None
    assert (failed.status, failed.reason, failed.epochs, failed.test_accuracy) == (
        "failed", "the JVM died", 2, None,
    )  # fmt: skip
    stage.act = Stage.act
    assert carry_out(folder).status == Status.FINISHED
    assert epochs_trained(stage) == [1, 2, 3, 4]


def test_a_session_that_did_not_start_is_a_failure_of_the_job(stage: Stage, folder: RunFolder) -> None:
    carry_out(folder, until=2)
    Job(TRAINING, EXECUTION, DATA, folder).fail(RunError("no JVM"))
    failed = folder.result()
    assert failed is not None
    assert (failed.status, failed.reason, failed.epochs) == ("failed", "no JVM", 2)


def test_an_epoch_that_never_came_is_a_failure(
    stage: Stage, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeSession, "run", lambda self, *arguments, **options: None)
    with pytest.raises(RunError, match=r"train\.dml ended without an epoch"):
        carry_out(folder)


def test_other_dml_files_and_damage_are_told(
    stage: Stage, folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    from largebatch.terminal.progress import Progress

    def shown(total: int, done: int) -> Progress:
        return Progress("title", TRAINING.epochs, total, done)

    carry_out(folder, until=2)
    folder.write_versions({"dml_sha256": "1"})
    (folder.checkpoint(2) / "parameters").write_text("1\n")
    carry_out(folder, until=2, new_progress=shown)
    told = capsys.readouterr().err
    assert "the checkpoint of epoch 2 is damaged: it goes on from epoch 1" in told
    assert "goes on with other DML files than it was begun with" in told
    assert "title  epoch 2/4  update 10/12" in told


def test_the_last_epoch_of_a_job_is_one_of_the_run() -> None:
    job = Job(TRAINING, EXECUTION, DATA)
    assert [dataclasses.replace(job, until=until).last_epoch for until in (None, 1, 4, 5)] == [4, 1, 4, 4]


# ---- targets, and evaluations within epochs ----

TARGETS = dataclasses.replace(EXECUTION, target_accuracy=(0.25, 0.3, 0.5, 0.9))


def evaluated(folder: Path, **more: Any) -> tuple[RunFolder, Result]:
    """A run of five updates an epoch whose made-up accuracy after update u is u/20, but 0.25 after epochs."""
    training = dataclasses.replace(TRAINING, evaluate_every=2)
    run = RunFolder(folder)
    if not run.exists():
        run = RunFolder.create(folder, training, TARGETS, DATA)
    with FakeSession(EXECUTION, 4, Path("log.txt")) as session:
        made_up: Any = session
        return run, Job(training, TARGETS, DATA, run, **more).carry_out(made_up)


def test_targets_are_read_off_the_accuracies_of_epochs(stage: Stage, tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run", TRAINING, TARGETS, DATA)
    with FakeSession(EXECUTION, 4, Path("log.txt")) as session:
        made_up: Any = session
        result = Job(TRAINING, TARGETS, DATA, folder).carry_out(made_up)
    first = {"accuracy": 0.25, "part": "test", "updates": 5, "epoch": 1.0, "seconds": 0.75}
    never = [
        {"accuracy": accuracy, "part": "test", "updates": None, "epoch": None, "seconds": None}
        for accuracy in (0.3, 0.5, 0.9)
    ]
    assert json.loads(folder.result_file.read_text())["targets"] == [first, *never] == result.targets
    assert folder.result() == result
    assert not folder.evaluations.file.exists()


def test_snapshots_are_evaluated_and_removed_and_targets_found_between_epochs(
    stage: Stage, tmp_path: Path
) -> None:
    folder, result = evaluated(tmp_path / "run")
    assert stage.evaluated == list(range(2, 21, 2)) == folder.evaluations.table()["updates"].tolist()
    assert not (folder.path / "snapshots").exists()
    found = [(target["updates"], target["epoch"]) for target in result.targets or []]
    assert found == [(5, 1.0), (6, 1.2), (12, 2.4), (18, 3.6)]


def test_a_run_that_was_killed_before_its_evaluations_makes_them_up(stage: Stage, tmp_path: Path) -> None:
    undisturbed, _ = evaluated(tmp_path / "undisturbed")

    def kill(session: FakeSession, batch_size: int, epoch: int) -> None:
        if epoch == 3:
            raise KeyboardInterrupt

    stage.act = kill
    with pytest.raises(KeyboardInterrupt):
        evaluated(tmp_path / "run")
    stage.act, stage.evaluated[:] = Stage.act, []
    (tmp_path / "run" / "snapshots" / "12").mkdir()  # of the epoch that is done again
    folder, _ = evaluated(tmp_path / "run")
    assert stage.evaluated == list(range(2, 21, 2))
    assert folder.evaluations.file.read_bytes() == undisturbed.evaluations.file.read_bytes()
    evaluated(tmp_path / "run")
    assert len(stage.evaluated) == 10, "a finished run is not evaluated again"


def test_training_pauses_before_too_many_snapshots_wait(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting: list[int] = []

    def count(session: FakeSession, batch_size: int, epoch: int) -> None:
        waiting.append(len(list((tmp_path / "run" / "snapshots").glob("*"))))

    stage.act = count
    monkeypatch.setattr("largebatch.runs.snapshots.MOST_WAITING", 4)  # two an epoch, by its rows
    folder, result = evaluated(tmp_path / "run")
    assert waiting == [0, 2, 0, 2]
    assert (result.status, len(folder.evaluations.table())) == (Status.FINISHED, 10)
