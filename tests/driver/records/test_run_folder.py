"""A run's folder: its creation, its settings, its lock, its model and result."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from largebatch.data import Dataset
from largebatch.data.dataset import Images, Part
from largebatch.data.validation import cut_validation
from largebatch.errors import UserError
from largebatch.files.safe import write_atomically
from largebatch.records.result import Status
from largebatch.records.run_folder import RunFolder
from largebatch.settings.execution import Execution
from largebatch.settings.networks import NETWORKS
from largebatch.settings.training import Training
from tests.support.harness import write_matrix
from tests.support.patience import TIMEOUT_S
from tests.support.samples import dataset
from tests.support.study_samples import result

TRAINING = Training(dataset="idx", network="softmax", batch_size=8, epochs=9)
EXECUTION = Execution(mode="local", memory="1g")
SOFTMAX, LENET = NETWORKS["softmax"], NETWORKS["lenet"]
AWKWARD = (1 / 3, 0.1, 1e-17, 5e-324, -(2.0**60), 1.7976931348623157e308)  # numbers that lose digits easily


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "a run", TRAINING, EXECUTION, dataset())


# ---- creation ----


def test_a_new_folder_knows_its_settings(folder: RunFolder) -> None:
    again = RunFolder(folder.path)
    assert again.settings() == (TRAINING, EXECUTION)
    assert again.images() == Images(height=4, width=4, classes=3)
    assert again.last_epoch() == 0


@pytest.mark.parametrize("protocol", ["hardsync", "async"])
def test_the_settings_say_whether_the_run_can_be_repeated(tmp_path: Path, protocol: str) -> None:
    training = dataclasses.replace(TRAINING, protocol=protocol)
    folder = RunFolder.create(tmp_path, training, EXECUTION, dataset())
    assert config(folder)["reproducible"] == (protocol == "hardsync")


def test_a_folder_knows_the_channels_and_the_scale_of_its_data(tmp_path: Path) -> None:
    part = Part(np.ones((8, 3, 4, 5), np.float32), np.arange(8) % 3)
    folder = RunFolder.create(tmp_path, TRAINING, EXECUTION, Dataset("idx", "colours", part))
    assert folder.images() == Images(height=4, width=5, classes=3, channels=3, pixel_scale=1)


def test_a_folder_keeps_the_names_of_classes_as_many_as_there_are(folder: RunFolder, tmp_path: Path) -> None:
    assert folder.class_names() == ()
    named = dataclasses.replace(dataset(), class_names=("ant", "bee", "cät"))
    folder = RunFolder.create(tmp_path / "named", TRAINING, EXECUTION, named)
    assert folder.class_names() == ("ant", "bee", "cät")
    values = config(folder)
    values["data"]["class_names"].pop()
    (folder.path / "config.json").write_text(json.dumps(values))
    with pytest.raises(UserError, match=r"config.json: class_names must be a list of 3 names; restore "):
        folder.class_names()


def test_data_of_a_folder_from_before_there_were_channels_are_grey_bytes(folder: RunFolder) -> None:
    values = without("data", "channels")(without("data", "pixel_scale")(config(folder)))
    (folder.path / "config.json").write_text(json.dumps(values))
    assert folder.images() == Images(height=4, width=4, classes=3, channels=1, pixel_scale=255)
    folder.check_data(dataset())


def test_a_run_knows_its_data_whatever_is_cut_off_them(folder: RunFolder) -> None:
    folder.check_data(cut_validation(dataset(), 6))


def test_an_address_makes_no_folder_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"^s3:/bucket/run is an address; .*: name a folder$"):
        RunFolder.create(Path("s3://bucket/run"), TRAINING, EXECUTION, dataset())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["config.json", "notes.txt", ".hidden"])
def test_a_folder_that_holds_anything_is_refused_and_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(UserError, match=r"is not empty: name another folder by --out, or .* --resume"):
        RunFolder.create(tmp_path, TRAINING, EXECUTION, dataset())
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    assert RunFolder.create(tmp_path, TRAINING, EXECUTION, dataset()).settings() == (TRAINING, EXECUTION)


def test_a_file_in_the_way_is_a_user_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UserError, match=r"cannot be made a run's folder: .*; name another by --out"):
            RunFolder.create(path, TRAINING, EXECUTION, dataset())


# ---- config.json ----


def config(folder: RunFolder) -> Any:
    return json.loads((folder.path / "config.json").read_text())


def without(*names: str) -> Callable[[Any], Any]:
    """config.json without the value at these names."""

    def change(values: Any) -> Any:
        inner = values
        for name in names[:-1]:
            inner = inner[name]
        del inner[names[-1]]
        return values

    return change


def assert_refused(folder: RunFolder, words: str) -> None:
    """All that reads config.json says so in one sentence that names the file or folder."""
    for read in (folder.settings, folder.images, lambda: folder.check_data(dataset())):
        with pytest.raises(UserError, match=words) as refusal:
            read()
        assert str(folder.path) in str(refusal.value)
        assert len(str(refusal.value).splitlines()) == 1


def test_a_folder_that_is_no_run_is_a_user_error(tmp_path: Path) -> None:
    assert_refused(RunFolder(tmp_path), "is not the folder of a run: it has no config.json")
    assert_refused(RunFolder(tmp_path / "missing"), "is not the folder of a run: it has no config.json")


def test_a_file_instead_of_a_folder_is_a_user_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert_refused(RunFolder(tmp_path / "file"), "can't be read as a run's settings")


@pytest.mark.parametrize("content", [b"", b"{", b"\x80\x81", b'{"training": {', b"{}}", b"not json"])
def test_damaged_settings_are_a_user_error(folder: RunFolder, content: bytes) -> None:
    (folder.path / "config.json").write_bytes(content)
    assert_refused(folder, r"config\.json can't be read as a run's settings: ")


@pytest.mark.parametrize("cut", [10, 200, 700])
def test_settings_cut_short_are_a_user_error(folder: RunFolder, cut: int) -> None:
    file = folder.path / "config.json"
    file.write_bytes(file.read_bytes()[:cut])
    assert_refused(folder, r"config\.json can't be read as a run's settings: ")


@pytest.mark.parametrize(
    ("change", "lacking"),
    [
        (lambda values: [values], "training, execution, data"),
        (lambda values: "text", "training, execution, data"),
        (lambda values: None, "training, execution, data"),
        (lambda values: {"name": "another program's file"}, "training, execution, data"),
        (without("execution"), "execution"),
        (lambda values: values | {"data": [28, 28]}, "data"),
        (without("data", "height"), "height"),
        (without("data", "fingerprint"), "fingerprint"),
        (lambda values: values | {"data": values["data"] | {"classes": "ten"}}, "classes"),
        (lambda values: values | {"data": values["data"] | {"channels": None}}, "channels"),
        (lambda values: values | {"data": values["data"] | {"pixel_scale": "1"}}, "pixel_scale"),
    ],
)
def test_settings_of_something_else_are_a_user_error(
    folder: RunFolder, change: Callable[[Any], Any], lacking: str
) -> None:
    (folder.path / "config.json").write_text(json.dumps(change(config(folder))))
    assert_refused(folder, rf"config\.json is no run's settings: it lacks {lacking}; restore the file, or ")


@pytest.mark.parametrize(
    ("part", "values", "words"),
    [
        ("training", {"optimiser": "lars"}, "unknown setting optimiser"),
        ("training", {"epochs": "3"}, "epochs = '3' must be a whole number"),
        ("training", {"epochs": 0}, "--epochs 0 must be at least 1"),
        ("execution", {"memory": "much"}, "--memory 'much' must be"),
    ],
)
def test_unusable_settings_name_the_file(
    folder: RunFolder, part: str, values: dict[str, object], words: str
) -> None:
    (folder.path / "config.json").write_text(json.dumps(config(folder) | {part: values}))
    with pytest.raises(UserError, match=rf"config\.json: {words}"):
        folder.settings()


def test_other_data_than_the_run_was_begun_on_are_refused(folder: RunFolder) -> None:
    folder.check_data(dataset())
    with pytest.raises(UserError, match=r"was begun on other data than the other found now: .* --data-dir"):
        folder.check_data(dataset(title="other", shift=1))


def test_a_run_knows_the_folder_that_was_named_for_its_data_while_it_is_there(
    tmp_path: Path, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert folder.data_dir() is None
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    run = RunFolder.create(tmp_path / "run", TRAINING, EXECUTION, dataset(), Path("data"))
    assert run.data_dir() == tmp_path / "data"
    (tmp_path / "data").rmdir()
    assert run.data_dir() is None


# ---- the lock ----


def test_a_second_holder_is_refused_until_the_first_lets_go(folder: RunFolder) -> None:
    with (
        folder.lock(),
        pytest.raises(UserError, match="is in use by another process"),
        RunFolder(folder.path).lock(),
    ):
        pytest.fail("two hold the folder")
    with folder.lock():
        pass


def test_another_process_is_refused(folder: RunFolder) -> None:
    program = "import sys; from pathlib import Path; from largebatch.records.run_folder import RunFolder\n"
    program += "with RunFolder(Path(sys.argv[1])).lock(): print('held')"
    command = [sys.executable, "-c", program, str(folder.path)]
    with folder.lock():
        refused = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert refused.returncode == 1
    assert "InUseError" in refused.stderr
    assert "is in use by another process" in refused.stderr
    held = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=True)
    assert held.stdout == "held\n"


def test_the_lock_goes_with_a_failure(folder: RunFolder) -> None:
    with pytest.raises(ZeroDivisionError), folder.lock():
        _ = 1 / 0
    with (folder.path / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


# ---- the end ----


def test_the_model_holds_every_array_exactly(folder: RunFolder) -> None:
    weights = np.array([[1 / 3, -0.1], [1e-17, 5e-324], [2.0**60 + 4096, -1.7976931348623157e308]])
    bias = np.array([[0.1, -2 / 3]])
    vector = np.concatenate([weights.ravel(), bias.ravel()])[:, None]
    state = folder.checkpoint(1)
    state.mkdir(parents=True)
    write_matrix(state / "parameters", np.hstack([vector, np.ones_like(vector)]))
    write_matrix(folder.path / "shapes", [[3, 2, 1, 3], [1, 2, 1, 0]])
    folder.write_model(1, SOFTMAX)
    with np.load(folder.model_file, allow_pickle=False) as model:
        assert list(model) == ["fc.weight", "fc.bias"]
        np.testing.assert_array_equal(model["fc.weight"], weights)
        np.testing.assert_array_equal(model["fc.bias"], bias)
        assert model["fc.weight"].dtype == np.float64
    assert not [path for path in folder.path.iterdir() if "part" in path.name]


def test_lenet_has_an_array_for_each_of_its_names(folder: RunFolder) -> None:
    shapes = [[row, 2, 0, 0] for row in range(1, 11)]
    state = folder.checkpoint(1)
    state.mkdir(parents=True)
    write_matrix(folder.path / "shapes", shapes)
    write_matrix(state / "parameters", np.arange(110.0)[:, None])
    arrays = folder.arrays(1, LENET)
    assert list(arrays) == list(LENET.arrays)
    assert [array.shape for array in arrays.values()] == [(row, 2) for row in range(1, 11)]
    assert np.concatenate([array.ravel() for array in arrays.values()]).tolist() == list(range(110))


def test_result_and_versions_are_json(folder: RunFolder) -> None:
    folder.write_versions({"java": "17.0.1", "openblas": None})
    found = dataclasses.replace(result(TRAINING, Status.FINISHED, 1), test_accuracy=1 / 3)
    folder.write_result(found)
    assert json.loads((folder.path / "versions.json").read_text()) == {"java": "17.0.1", "openblas": None}
    values = json.loads(folder.result_file.read_text())
    assert (values["status"], values["test_accuracy"]) == ("finished", 1 / 3)
    assert folder.result() == found


# ---- writing ----


def full_disk(descriptor: int) -> None:
    raise OSError(28, "No space left on device")


def test_a_write_that_fails_leaves_the_old_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    write_atomically(file, b"old")
    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(os, "fsync", full_disk)
        write_atomically(file, b"new and longer")
    assert file.read_bytes() == b"old"
    write_atomically(file, b"new")
    assert file.read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
