"""Files that others made: links, pipes, sizes, and JSON that parsers take but nobody can use."""

from __future__ import annotations

import codecs
import json
import os
import shutil
import threading
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from largebatch.engine.session import Session
from largebatch.errors import RunError, UserError
from largebatch.files.lock import locked
from largebatch.files.safe import MAX_BYTES, part_of, read_file, read_json, readable, write_atomically
from largebatch.records.reading import NoResult, read_study
from largebatch.records.run_folder import RunFolder
from largebatch.records.study_folder import StudyFolder
from largebatch.report.write import report
from largebatch.settings.execution import Execution
from largebatch.settings.networks import NETWORKS
from largebatch.settings.study import Study, run_name
from largebatch.settings.training import Training
from largebatch.studies.library import load
from largebatch.studies.tasks import survey
from tests.support.samples import dataset
from tests.support.study_samples import finished_study, write_run

TRAINING = Training(dataset="idx", network="softmax", batch_size=8, epochs=2)
MINE = b"all I have"


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A file that is no business of any run."""
    file = tmp_path / "mine"
    file.write_bytes(MINE)
    return file


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return write_run(tmp_path / "runs" / "a", TRAINING)


# ---- reading ----


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[" * 100_000, "nested too deeply"),
        (b"[" * 20 + b"]" * 20, "nested too deeply"),
        (b'{"a": NaN}', "NaN is no number in JSON"),
        (b"[-Infinity]", "-Infinity is no number"),
        (b"[18446744073709551616]", "more than 64 bits"),
        (b"9" * 5000, "4300 digits"),
        (b'"\\ud800"', "surrogates not allowed"),
        (b'{"\\udfff": 1}', "surrogates not allowed"),
        (b"\xff", "can't decode"),
        (b"", "Expecting value"),
        (codecs.BOM_UTF16_LE + "{}".encode("utf-16-le"), "UTF-16: save it in UTF-8"),
    ],
)
def test_unsound_json_is_a_value_error(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ValueError, match=words):
        read_json(tmp_path / "file")


def test_a_byte_order_mark_in_front_of_a_text_is_no_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(codecs.BOM_UTF8 + b'{"a": 1}')
    assert read_json(tmp_path / "file") == {"a": 1}


def test_bytes_of_a_files_name_go_through_json_and_can_be_shown(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    write_atomically(tmp_path / "file", json.dumps({"folder": name}).encode())
    value = read_json(tmp_path / "file")
    assert value == {"folder": name}
    assert readable(value) == {"folder": "caf?"}


def test_pipes_devices_folders_links_and_large_files_are_not_read(tmp_path: Path, mine: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(mine)
    with (tmp_path / "large").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero"), tmp_path / "link", tmp_path / "large"):
        with pytest.raises(OSError, match=r"Not a regular file|Is a directory|symbolic links|Larger than"):
            read_file(path)
    assert read_file(tmp_path / "link", follow=True) == MINE


@pytest.mark.parametrize("name", ["config.json", "result.json", "versions.json", "metrics.csv"])
def test_a_pipe_among_a_runs_files_makes_nobody_wait(run: RunFolder, name: str) -> None:
    (run.path / name).unlink()
    os.mkfifo(run.path / name)
    reads: tuple[Callable[[], object], ...] = (run.settings, run.result, run.versions, run.metrics)
    for read in reads:
        try:
            read()
        except UserError as error:
            assert name in str(error)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("/nowhere", "its folder is named by an absolute path"),
        ("x" * 5000, "its folder can't be read: File name too long"),
    ],
)
def test_a_study_with_a_folder_that_can_t_be_is_reported_with_it(
    tmp_path: Path, change: str, reason: str
) -> None:
    finished_study(tmp_path, [TRAINING])
    value = json.loads((tmp_path / "study.json").read_text())
    value["runs"][0]["folder"] = change
    (tmp_path / "study.json").write_text(json.dumps(value))
    (found,) = read_study(tmp_path).runs
    assert (found.status, found.reason) == (NoResult.UNREADABLE, reason)


@pytest.mark.parametrize(
    "text",
    [
        "x = " + "[" * 5000,
        f"seed = 0x{'f' * 5000}",
        f"seed = {'9' * 5000}",
        "a." * 40 + "b = 1",
        "#" * 40_000,
    ],
)
def test_a_study_that_no_parser_likes_is_a_user_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "study.toml").write_text(text)
    with pytest.raises(UserError, match=r"study\.toml (is no study|is not TOML|can't be read)"):
        load(str(tmp_path / "study.toml"))


# ---- writing ----


def test_no_file_is_written_through_a_link(tmp_path: Path, mine: Path) -> None:
    target = tmp_path / "file"
    part_of(target).symlink_to(mine)
    write_atomically(target, b"new")
    assert (target.read_bytes(), mine.read_bytes()) == (b"new", MINE)
    (tmp_path / "lock").symlink_to(mine)
    with pytest.raises(UserError, match="lock can't be opened"), locked(tmp_path):
        pass
    (tmp_path / "log.txt").symlink_to(mine)
    with pytest.raises(RunError, match=r"log\.txt can't be written"):
        Session(Execution(mode="local", native_blas=False), 1, tmp_path / "log.txt").__enter__()
    assert mine.read_bytes() == MINE


def test_writers_of_one_file_at_the_same_time_each_write_it_whole(tmp_path: Path) -> None:
    target = tmp_path / "file"
    contents = [bytes([letter]) * 2**20 for letter in b"abcd"]
    start = threading.Barrier(len(contents))

    def write(content: bytes) -> None:
        start.wait()
        write_atomically(target, content, alone=False)

    with ThreadPoolExecutor(len(contents)) as writers:
        list(writers.map(write, contents))
    assert target.read_bytes() in contents
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("alone", [True, False])
def test_a_file_that_cannot_be_written_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alone: bool
) -> None:
    def full_disk(_: int) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(tmp_path / "file", b"new", alone=alone)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["lock", "log.txt", "metrics.csv", "shapes", "checkpoints", "checkpoints/1"])
def test_a_run_with_a_link_in_its_folder_does_not_go_on(run: RunFolder, mine: Path, name: str) -> None:
    link = run.path / name
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(mine.parent if "checkpoints" in name else mine)
    with pytest.raises(UserError, match=f"{name} is a link, through which a run does not write"), run.lock():
        pass
    assert mine.read_bytes() == MINE


def test_links_lead_neither_sweeps_nor_reports_out_of_a_studys_folder(tmp_path: Path, mine: Path) -> None:
    study, name = Study("s", "s", "", (TRAINING,)), run_name(TRAINING)
    (tmp_path / "study" / "runs").mkdir(parents=True)
    (tmp_path / "study" / "runs" / name).symlink_to(mine.parent)
    folder = StudyFolder(tmp_path / "new", tmp_path / "study" / "runs")
    with pytest.raises(UserError, match="is a link, through which a run does not write"):
        survey(study, folder, {}, {})
    finished = finished_study(tmp_path / "finished", [TRAINING])
    (finished / "figures").symlink_to(mine.parent)
    with pytest.raises(UserError, match="figures is a link, through which a report does not write"):
        report(finished)


def test_only_folders_named_as_epochs_are_checkpoints(run: RunFolder, tmp_path: Path) -> None:
    state = run.path / "checkpoints"
    for name in ("3", "03", "\u0664", "5x", "9" * 200):
        (state / name).mkdir(parents=True)
    (state / "7").write_bytes(b"")
    (state / "8").symlink_to(tmp_path)
    assert run.rewind(NETWORKS["softmax"]) == 0
    assert sorted(p.name for p in state.iterdir()) == sorted(["03", "\u0664", "5x", "9" * 200, "7", "8"])
    assert tmp_path.is_dir()


@pytest.mark.parametrize(
    "name",
    ["20\u00b0C", "a\u00b7b", "a\u2021b", "a\u00b6b", "run*", "a[1]", "{a}", "a\\b", os.fsdecode(b"caf\xe9")],
)
def test_a_folder_whose_name_would_break_instructions_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        UserError, match=r"which SystemDS (can't have in|wants of) a path: take another folder"
    ):
        RunFolder.create(tmp_path / name / "run", TRAINING, Execution(mode="local"), dataset())
    assert list(tmp_path.iterdir()) == []


def test_a_link_that_leads_to_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UserError, match="cannot be made a run's folder"):
        RunFolder.create(tmp_path / "loop" / "run", TRAINING, Execution(mode="local"), dataset())
    study = finished_study(tmp_path / "study", [TRAINING])
    shutil.rmtree(study / "runs")
    (study / "runs").symlink_to("runs")
    assert StudyFolder(study).runs == study / "runs"
    (run,) = read_study(study).runs
    assert run.status in (NoResult.UNREADABLE, "not begun")


def test_memory_is_taken_for_what_a_file_holds_and_not_for_what_it_may_hold(mine: Path) -> None:
    tracemalloc.start()
    assert read_file(mine, 2**30) == MINE
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20
    with pytest.raises(OSError, match="Larger than 3 bytes"):
        read_file(mine, 3)
