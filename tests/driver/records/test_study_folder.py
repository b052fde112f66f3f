"""The folder of a study: what it records, and which other studies it refuses."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

import largebatch
from largebatch.errors import UserError
from largebatch.records.study_folder import StudyFolder, unplaced
from largebatch.settings.execution import Execution
from largebatch.settings.study import Study, run_name
from largebatch.settings.training import Training
from largebatch.studies.tasks import measured, survey
from tests.support.study_samples import write_run

RUNS = tuple(
    Training(dataset="idx", network="softmax", batch_size=size, epochs=2, optimizer=optimizer)
    for size in (8, 16)
    for optimizer in ("sgd", "lars")
)
SMALL = Study("small", "A title", "Words.", RUNS)
STUDY_OF_ONE = Study("one", "A title", "Words.", RUNS[:1])


def written(path: Path, study: Study = SMALL, runs: Path | None = None) -> StudyFolder:
    """The folder of a study that a sweep has begun."""
    folder = StudyFolder(path, runs)
    with folder.lock():
        folder.write(study, Execution(mode="local"))
    return folder


def record(path: Path) -> Any:
    return json.loads((path / "study.json").read_text())


def test_a_study_is_recorded_whole(tmp_path: Path) -> None:
    written(tmp_path / "out")
    names = [run_name(run) for run in RUNS]
    assert record(tmp_path / "out") == {
        "name": "small",
        "title": "A title",
        "description": "Words.",
        "largebatch": largebatch.__version__,
        "varied": ["optimizer", "learning_rate", "batch_size"],
        "execution": Execution(mode="local").to_mapping(),
        "runs": [
            {"name": name, "folder": f"runs/{name}", "training": run.to_mapping()}
            for name, run in zip(names, RUNS, strict=True)
        ],
    }
    assert StudyFolder(tmp_path / "out").run(RUNS[0]).path == tmp_path / "out" / "runs" / names[0]


def test_a_recorded_run_is_found_by_what_it_asked_for(tmp_path: Path) -> None:
    auto = dataclasses.replace(RUNS[0], data_placement="auto", reshuffle_every=2)
    begun = dataclasses.replace(auto, data_placement="executors")
    written(tmp_path / "out", dataclasses.replace(SMALL, runs=(begun, *RUNS[1:])))
    there = StudyFolder(tmp_path / "out").by_request
    assert there[unplaced(auto)] == begun
    assert there[unplaced(RUNS[1])] == RUNS[1]
    assert StudyFolder(tmp_path / "new").by_request == {}


def test_nothing_is_written_before_it_is_asked_for(tmp_path: Path) -> None:
    StudyFolder(tmp_path / "out").check(SMALL)
    assert list(tmp_path.iterdir()) == []


def test_runs_may_be_elsewhere_and_are_found_there_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written(Path("studies/out"), runs=Path("shared runs"))
    assert record(tmp_path / "studies/out")["runs"][0]["folder"] == f"../../shared runs/{run_name(RUNS[0])}"
    again = StudyFolder(Path("studies/out"), Path("shared runs"))
    assert again.run(RUNS[0]).path == Path("shared runs") / run_name(RUNS[0])
    assert StudyFolder(Path("studies/out"), tmp_path / "shared runs").holds(SMALL), "the same, said otherwise"
    with pytest.raises(
        UserError,
        match=r"the runs of the study in studies/out are in shared runs: name that folder by --runs",
    ):
        StudyFolder(Path("studies/out"), Path("other"))
    with pytest.raises(UserError, match="are outside of it, in shared runs: name that folder by --runs"):
        StudyFolder(Path("studies/out"))


@pytest.mark.parametrize("folder", ["/etc/a", "runs/a\0b", "..", ""])
def test_runs_are_where_a_record_may_put_them(tmp_path: Path, folder: str) -> None:
    written(tmp_path)
    value = record(tmp_path)
    value["runs"][0]["folder"] = folder
    (tmp_path / "study.json").write_text(json.dumps(value))
    with pytest.raises(UserError, match=r"study\.json is no record of a study"):
        StudyFolder(tmp_path)


@pytest.mark.parametrize("content", ["", "epoch,sec\n1,2\n", "epoch,seconds\n1,many\n"])
def test_damaged_metrics_of_a_run_that_goes_on_only_cost_the_estimate(tmp_path: Path, content: str) -> None:
    (training,) = STUDY_OF_ONE.runs
    folder = StudyFolder(tmp_path)
    write_run(folder.run(training).path, training, None, 1).metrics_file.write_text(content)
    (task,) = survey(STUDY_OF_ONE, folder, {}, {})
    assert measured([dataclasses.replace(task, epochs_done=1)]).measured == 0


@pytest.mark.parametrize("training", [[], "", None, {"batch_size": 10**400}])
def test_settings_that_are_none_are_no_record(tmp_path: Path, training: object) -> None:
    written(tmp_path)
    value = record(tmp_path)
    value["runs"][0]["training"] = training
    (tmp_path / "study.json").write_text(json.dumps(value))
    with pytest.raises(UserError, match=r"study\.json (is no record of|can't be read as) a study"):
        StudyFolder(tmp_path)


# ---- other studies ----


def test_the_same_study_goes_on_and_so_does_one_that_has_grown(tmp_path: Path) -> None:
    written(tmp_path)
    more = dataclasses.replace(SMALL, title="Other", runs=(*RUNS, dataclasses.replace(RUNS[0], seed=2)))
    for study in (SMALL, more):
        folder = StudyFolder(tmp_path)
        folder.check(study)
        assert folder.holds(study)
    written(tmp_path, more)
    assert (record(tmp_path)["title"], len(record(tmp_path)["runs"])) == ("Other", 5)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (dataclasses.replace(SMALL, name="other"), "holds the study 'small', not 'other': "),
        (
            dataclasses.replace(SMALL, runs=tuple(dataclasses.replace(r, epochs=3) for r in RUNS)),
            "holds the study 'small' with other runs (epochs 2 there, 3 here): ",
        ),
        (
            dataclasses.replace(SMALL, runs=RUNS[:2]),
            "holds the study 'small' with other runs (batch_size 8, 16 there, 8 here): ",
        ),
        (dataclasses.replace(SMALL, runs=RUNS[:3]), "with other runs (4 there, 3 here): "),
        (SMALL.on("digits"), "with other runs (dataset idx there, digits here): "),
    ],
)
def test_another_study_is_refused_with_what_differs(tmp_path: Path, changed: Study, words: str) -> None:
    written(tmp_path)
    before = (tmp_path / "study.json").read_bytes()
    folder = StudyFolder(tmp_path)
    with pytest.raises(UserError) as refusal:
        folder.check(changed)
    assert words in str(refusal.value)
    assert str(refusal.value).endswith("name another folder by --out")
    assert (tmp_path / "study.json").read_bytes() == before


# ---- folders that are no study's ----


@pytest.mark.parametrize("name", ["config.json", "notes.txt", "runs"])
def test_a_folder_that_holds_anything_else_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(UserError, match="is not empty and holds no study: name another folder by --out"):
        StudyFolder(tmp_path)


def test_what_a_sweep_leaves_that_was_killed_at_once_is_taken(tmp_path: Path) -> None:
    for name in ("lock", "log.txt", ".study.json.part"):
        (tmp_path / name).write_text("")
    written(tmp_path)
    assert record(tmp_path)["name"] == "small"


@pytest.mark.parametrize(
    "content",
    [
        "", "{", "[]", "null", "{}", '{"name": "small"}', '{"name": "small", "runs": []}',
        '{"name": "small", "runs": [3]}', '{"name": "small", "runs": [{"folder": "runs/a"}]}',
        '{"name": "small", "runs": [{"folder": 3, "training": {}}]}',
        '{"name": 3, "runs": [{"folder": "runs/a", "training": {}}]}',
        '{"name": "small", "runs": [{"folder": "runs/a", "training": {"colour": "red"}}]}',
    ],
)  # fmt: skip
def test_a_damaged_record_is_refused_and_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "study.json").write_text(content)
    with pytest.raises(UserError, match=r"study\.json (can't be read as a study|is no record of a study)"):
        StudyFolder(tmp_path)


def test_a_file_in_the_way_is_a_user_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot be made a study's folder: .*; name another by --out"):
        StudyFolder(tmp_path / "file").lock()


def test_two_sweeps_on_one_folder_are_one_too_many(tmp_path: Path) -> None:
    folder = written(tmp_path)
    with folder.lock(), pytest.raises(UserError, match="is in use by another process"), folder.lock():
        pass


def test_notes_are_lines_with_their_time(tmp_path: Path) -> None:
    folder = written(tmp_path)
    folder.note("one")
    folder.note("two")
    first, second = folder.log.read_text().splitlines()
    assert first.endswith("+00:00 one") or first[-10] in "+-"
    assert second.partition(" ")[2] == "two"
