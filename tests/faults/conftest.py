"""Runs to break, and what they have to equal when they have been taken up again."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import largebatch as package
from largebatch.data import Dataset, load
from largebatch.engine.session import Session
from largebatch.files.places import dml_root
from largebatch.records.run_folder import RunFolder
from largebatch.runs.job import Result, Run
from largebatch.settings.config import Execution, Training
from tests.driver.engine.test_session import children, wait_until_gone
from tests.end_to_end.conftest import bars, largebatch
from tests.end_to_end.test_sweep import wait_until
from tests.end_to_end.test_train import session_processes, start, without_times
from tests.support.patience import PROMPT_S

__all__ = ["bars", "largebatch"]  # fixtures

EPOCHS = 3
BATCH = 200
TRAINING = Training(dataset="idx", network="softmax", optimizer="lars", batch_size=BATCH, epochs=EPOCHS)
UPDATES = 10  # of an epoch
MEMORY = "512m"

# Where faults are put into a copy of the program: its file, a line of it, and what comes behind that line.
AT = UPDATES + UPDATES // 2  # an update in the middle of epoch 2
CLOCK = '\n  at = as.matrix(model["clock"])\n'
IN_WORKER = (
    "dml/worker.dml",
    "  X = folding::unfold(features, length(features) / nrow(y))",
    f"{CLOCK}  if (as.scalar(at[1,1]) == {AT} & as.scalar(y[1,2]) == 3)\n    ",
)


@dataclass
class Trial:
    """A folder in which a command is run until something happens to it."""

    home: Path
    data: Path
    processes: list[subprocess.Popen[str]] = field(default_factory=list)
    _groups: set[int] = field(default_factory=set)

    @property
    def folder(self) -> RunFolder:
        return RunFolder(self.home / "run")

    def train(self, *more: str, data: Path | None = None, **environment: str) -> subprocess.Popen[str]:
        """A training in the background."""
        arguments = [
            "train", "--dataset", "idx", "--data-dir", str(data or self.data), "--network", "softmax",
            "--optimizer", "lars", "--batch-size", str(BATCH), "--epochs", str(EPOCHS), "--memory", MEMORY,
            *more,
        ]  # fmt: skip
        return self.start(arguments if "--out" in more else [*arguments, "--out", "run"], **environment)

    def session(self) -> int:
        """The process, and group of processes, of the session that the command has started."""
        (session,) = children(self.processes[-1].pid)
        self._groups.add(session)
        return session

    def start(self, arguments: list[str], **environment: str) -> subprocess.Popen[str]:
        """A command in the background, which does not outlive its test."""
        process = start(arguments, self.home, **environment)
        self.processes.append(process)
        return process

    def assert_nothing_left(self, *, files: bool = True) -> None:
        """No process, and no temporary files, soon."""
        scratch = str(self.home / "largebatch-")
        wait_until(lambda: not session_processes(scratch), PROMPT_S)
        for group in self._groups:
            wait_until_gone(group)
        assert not files or list(self.home.glob("largebatch-*")) == []

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.communicate()


@pytest.fixture
def trial(tmp_path: Path, bars: Path) -> Iterator[Trial]:
    home = tmp_path / "home"
    home.mkdir()
    trial = Trial(home, bars)
    yield trial
    trial.close()


class Undisturbed:
    """Runs that nothing happens to, and the resumption of others, in a session that stays."""

    def __init__(self, session: Session, dataset: Dataset, home: Path) -> None:
        self._session = session
        self._dataset = dataset
        self._home = home

    def run(self, mode: str) -> RunFolder:
        """A run that nothing happened to."""
        folder = RunFolder(self._home / mode)
        if folder.result() is None:
            execution = Execution(mode=mode, memory=MEMORY)
            self.go_on(RunFolder.create(folder.path, TRAINING, execution, self._dataset))
        return folder

    def copy(self, mode: str, folder: Path) -> RunFolder:
        """A copy of it."""
        shutil.copytree(self.run(mode).path, folder)
        return RunFolder(folder)

    def go_on(self, folder: RunFolder) -> Result:
        """What `largebatch train --resume` does, without the start of a JVM."""
        training, execution = folder.settings()
        with folder.lock():
            return Run(training, execution, folder, self._dataset).train_in(self._session)

    def assert_goes_on_from(self, folder: RunFolder, epochs: tuple[int, ...]) -> None:
        """The folder is at one of these epochs, and resumed it ends as if nothing had happened."""
        assert folder.last_epoch() in epochs
        assert self.go_on(folder)["status"] == "finished"
        self.assert_equal(folder)

    def assert_equal(self, folder: RunFolder) -> None:
        """Metrics and model are those of the run that nothing happened to, to the last bit."""
        undisturbed = self.run(folder.settings()[1].mode)
        metrics = [without_times(each.path) for each in (folder, undisturbed)]
        pd.testing.assert_frame_equal(*metrics, check_exact=True)
        ours, theirs = (np.load(each.model_file) for each in (folder, undisturbed))
        assert all(np.array_equal(ours[name], theirs[name]) for name in theirs.files)


@pytest.fixture(scope="package")
def undisturbed(bars: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Undisturbed]:
    home = tmp_path_factory.mktemp("undisturbed")
    execution = Execution(mode="local", memory=MEMORY)
    with Session(execution, TRAINING.workers, home / "log.txt") as session:
        yield Undisturbed(session, load("idx", bars), home)


Modify = Callable[[str, str, str], str]


@pytest.fixture
def modified(tmp_path: Path) -> Modify:
    """Copies the program with another text in one of its files; returns the PYTHONPATH of the copy."""

    def modify(file: str, old: str, new: str) -> str:
        root = tmp_path / "modified"
        shutil.copytree(Path(package.__file__).parent, root / "driver" / "largebatch")
        shutil.copytree(dml_root() / "dml", root / "dml", dirs_exist_ok=True)
        text = (root / file).read_text()
        assert text.count(old) == 1
        (root / file).write_text(text.replace(old, new))
        return str(root / "driver")

    return modify


def mount(*command: str) -> None:
    """Call mount or umount."""
    subprocess.run(command, check=True, capture_output=True)


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


def fill(disk: Path) -> Path:
    """A file that leaves nothing free."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            return filler
    raise AssertionError("a file system without end")
