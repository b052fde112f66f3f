"""Disks that are full or can't be written, files that are damaged, folders that are in use."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from largebatch.data import load
from largebatch.records.run_folder import RunFolder
from largebatch.runs.prepare import is_whole, prepared_folder
from tests.support.command import call, wait_for
from tests.support.fault import fault
from tests.support.patience import TIMEOUT_S
from tests.support.samples import write_small_mnist
from tests.support.trials import EPOCHS, Gate, Modify, Trial, Undisturbed, fill, mount

systemds = pytest.mark.systemds

# ---- disks ----


@systemds
@fault(
    "The disk is full when a checkpoint is written",
    "a file system of 1 MB is filled after epoch 1",
    "status 1, the message says that no space is left; resumed with space it ends equal to the last bit",
)
def test_a_full_disk_ends_the_run_and_keeps_what_was_computed(
    trial: Trial, undisturbed: Undisturbed, modified: Modify, gate: Gate, small_disk: Path
) -> None:
    out = small_disk / "run"
    process = trial.train("--mode", "local", "--out", str(out), PYTHONPATH=modified(gate.edit))
    wait_for(process, "epoch 1/3")
    gate.wait(out / "log.txt")
    filler = fill(small_disk)
    gate.open()
    _, told = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 1
    message = told.splitlines()[-1]
    assert message.startswith("largebatch: ")
    assert "No space left on device" in message
    assert str(out) in message
    trial.assert_nothing_left()
    filler.unlink()
    undisturbed.assert_goes_on_from(RunFolder(out), (1,))


DOWNLOAD = """
import sys
from largebatch import data
from largebatch.data import mnist
from largebatch.errors import RunError
mnist.SET.files = {files}
try:
    print(len(data.load("mnist").train))
except RunError as error:
    sys.exit(str(error))
"""


@fault(
    "The disk is full while data are downloaded",
    "a file system without space for the cache, a small set on a file:// server",
    "status 1, the message says so and names the cache, no part of a file stays; with space it works",
    quick=True,
)
def test_a_full_disk_ends_a_download(tmp_path: Path, small_disk: Path) -> None:
    mirror = tmp_path / "mirror"
    files = write_small_mnist(mirror)
    environment = os.environ | {"XDG_CACHE_HOME": str(small_disk), "LARGEBATCH_MIRROR": mirror.as_uri()}
    environment.pop("LARGEBATCH_DATA", None)

    def download() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", DOWNLOAD.format(files=files)]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )

    filler = fill(small_disk)
    full = download()
    assert full.returncode == 1
    assert "cannot be written: No space left on device; $XDG_CACHE_HOME moves the cache" in full.stderr
    assert [path for path in small_disk.rglob("*") if path.is_file()] == [filler]
    filler.unlink()
    again = download()
    assert (again.returncode, again.stdout) == (0, "3\n"), again.stderr


@fault(
    "The run's folder can't be written",
    "its file system is mounted read-only; train --out and train --resume",
    "status 2 before a JVM starts, the message names the folder and the reason, nothing in it has changed",
)
def test_a_folder_that_is_read_only_is_refused(
    bars: Path, undisturbed: Undisturbed, small_disk: Path
) -> None:
    run = undisturbed.copy("local", small_disk / "run").path
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    mount("mount", "-o", "remount,ro", str(small_disk))
    resumed = call(["train", "--resume", str(run), "--data-dir", str(bars)])
    assert resumed.returncode == 2
    assert f"largebatch: {run / 'lock'} can't be opened: Read-only file system" in resumed.stderr
    data = ("--dataset", "idx", "--data-dir", str(bars))
    begun = call(["train", *data, "--memory", "512m", "--out", str(small_disk / "new")])
    assert begun.returncode == 2
    assert "cannot be made a run's folder: Read-only file system; name another by --out" in begun.stderr
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


# ---- checkpoints ----


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


@systemds
@pytest.mark.parametrize(
    ("damage", "epochs", "kept"),
    [
        pytest.param(
            flip,
            (EPOCHS,),
            EPOCHS - 1,
            id="corrupted",
            marks=fault(
                "A corrupted checkpoint",
                "a bit of the newest parameters is flipped",
                "the user is told, the checkpoint before is used; the run ends equal to the last bit",
                quick=True,
            ),
        ),
        pytest.param(
            cut,
            (EPOCHS,),
            EPOCHS - 1,
            id="truncated",
            marks=fault(
                "A truncated checkpoint",
                "the newest parameters are cut to half",
                "the user is told, the checkpoint before is used; the run ends equal to the last bit",
                quick=True,
            ),
        ),
        pytest.param(
            cut,
            (EPOCHS - 1, EPOCHS),
            0,
            id="both truncated",
            marks=fault(
                "All checkpoints are truncated",
                "the parameters of both kept epochs are cut to half",
                "the user is told, the run starts afresh and ends equal to the last bit",
                quick=True,
            ),
        ),
    ],
)
def test_a_damaged_checkpoint_is_told_and_the_one_before_is_used(
    trial: Trial,
    undisturbed: Undisturbed,
    capsys: pytest.CaptureFixture[str],
    damage: Callable[[Path], None],
    epochs: tuple[int, ...],
    kept: int,
) -> None:
    folder = undisturbed.copy("local", trial.home / "run")
    for epoch in epochs:
        damage(folder.checkpoint(epoch) / "parameters")
    undisturbed.assert_goes_on_from(folder, (kept,))
    told = capsys.readouterr().err
    for epoch in epochs:
        assert f"the checkpoint of epoch {epoch} is damaged: it " in told
    assert ("starts afresh" if kept == 0 else f"goes on from epoch {kept}") in told


# ---- what a command finds ----


@systemds
@fault(
    "Two processes on the same run's folder",
    "train --resume of a run that another process is carrying out, in its epoch 2",
    "the second: status 2, the message says that the folder is in use; the first is not disturbed",
)
def test_the_second_process_on_a_folder_is_refused(
    trial: Trial, undisturbed: Undisturbed, modified: Modify, gate: Gate
) -> None:
    process = trial.train("--mode", "local", PYTHONPATH=modified(gate.edit))
    wait_for(process, "epoch 1/3")
    gate.wait(trial.folder.log)
    second = call(["train", "--resume", str(trial.folder.path), "--data-dir", str(trial.data)])
    gate.open()
    assert second.returncode == 2
    assert "run is in use by another process: wait for it, or stop it" in second.stderr
    _, told = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, told
    undisturbed.assert_equal(trial.folder)


@fault(
    "A damaged config.json",
    "cut to half; another file's bytes; a setting of another type",
    "status 2 before a JVM starts, the message names the file; nothing in the folder has changed",
    quick=True,
)
@pytest.mark.systemds
def test_a_damaged_configuration_is_named(trial: Trial, undisturbed: Undisturbed) -> None:
    folder = undisturbed.copy("local", trial.home / "run").path
    config = folder / "config.json"
    sound = config.read_bytes()
    spoiled = (
        sound[: len(sound) // 2],
        (folder / "model.npz").read_bytes(),
        sound.replace(b'"epochs": 3', b'"epochs": "three"'),
    )
    for content in spoiled:
        config.write_bytes(content)
        before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
        refused = call(["train", "--resume", str(folder), "--data-dir", str(trial.data)])
        assert refused.returncode == 2
        assert refused.stderr.startswith(f"largebatch: {config}")
        assert len(refused.stderr.splitlines()) == 1
        assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    config.write_bytes(sound)
    undisturbed.assert_goes_on_from(RunFolder(folder), (EPOCHS,))


@systemds
@fault(
    "Data files are truncated between two commands",
    "the training images, then the test labels, are cut to half before train --resume",
    "status 2 before a JVM starts, the message names the file; with the file again the run ends equal",
)
def test_truncated_data_are_named(trial: Trial, undisturbed: Undisturbed) -> None:
    folder = undisturbed.copy("local", trial.home / "run")
    shutil.rmtree(folder.checkpoint(EPOCHS))
    data = trial.home / "data"
    for name in ("train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
        shutil.rmtree(data, ignore_errors=True)
        shutil.copytree(trial.data, data)
        cut(data / name)
        refused = call(["train", "--resume", str(folder.path), "--data-dir", str(data)])
        assert refused.returncode == 2
        assert f"largebatch: {data / name} is truncated" in refused.stderr
    undisturbed.assert_goes_on_from(folder, (EPOCHS - 1,))


@systemds
@fault(
    "Prepared data in the cache are truncated",
    "the training images in SystemDS' format are cut to half before train --resume",
    "they are prepared anew, and the run ends equal to the last bit",
    quick=True,
)
def test_truncated_prepared_data_are_made_anew(
    trial: Trial, undisturbed: Undisturbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(trial.home / "cache"))
    folder = undisturbed.copy("local", trial.home / "run")
    prepared = prepared_folder(load("idx", trial.data))
    for _ in range(2):  # the first time they are made, the second time mended
        shutil.rmtree(folder.checkpoint(EPOCHS))
        undisturbed.assert_goes_on_from(folder, (EPOCHS - 1,))
        assert is_whole(prepared)
        images = prepared / "train_images"
        cut(images if images.is_file() else max(images.iterdir(), key=lambda file: file.stat().st_size))
        assert not is_whole(prepared)
