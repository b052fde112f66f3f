"""Runs to break, the same runs undisturbed, a copy of the program to spoil, a disk to fill."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import largebatch as package
from largebatch.data import load
from largebatch.engine.session import Session
from largebatch.files.places import dml_root
from largebatch.settings.execution import Execution
from tests.support.trials import MEMORY, TRAINING, Edit, Gate, Modify, Trial, Undisturbed, mount


@pytest.fixture
def trial(tmp_path: Path, bars: Path) -> Iterator[Trial]:
    home = tmp_path / "home"
    home.mkdir()
    trial = Trial(home, bars)
    yield trial
    trial.close()


@pytest.fixture(scope="package")
def undisturbed(bars: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Undisturbed]:
    home = tmp_path_factory.mktemp("undisturbed")
    execution = Execution(mode="local", memory=MEMORY)
    begun = time.monotonic()
    with Session(execution, TRAINING.workers, home / "log.txt") as session:
        yield Undisturbed(session, load("idx", bars), home, time.monotonic() - begun)


@pytest.fixture
def modified(tmp_path: Path) -> Modify:
    """Copies the program and edits the copy."""

    def modify(*edits: Edit) -> str:
        root = tmp_path / "modified"
        shutil.copytree(Path(package.__file__).parent, root / "driver" / "largebatch")
        shutil.copytree(dml_root() / "dml", root / "dml", dirs_exist_ok=True)
        for edit in edits:
            text = (root / edit.file).read_text()
            assert text.count(edit.old) == 1
            (root / edit.file).write_text(text.replace(edit.old, edit.new))
        return str(root / "driver")

    return modify


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    try:
        mount("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder))
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no file system can be mounted here: {error}")
    yield folder
    mount("umount", "--lazy", str(folder))
