"""Runs to break, and what they must equal after they were resumed."""

from __future__ import annotations

import functools
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from largebatch.data import Dataset
from largebatch.engine.session import Session
from largebatch.records.result import Result, Status
from largebatch.records.run_folder import RunFolder
from largebatch.runs.job import Job
from largebatch.settings.execution import Execution
from largebatch.settings.training import Training
from largebatch.terminal.progress import Progress
from tests.support.command import start
from tests.support.harness import write_matrix
from tests.support.outcomes import assert_equal_runs
from tests.support.patience import TIMEOUT_S
from tests.support.processes import children, session_processes, wait_until, wait_until_gone

EPOCHS = 3
BATCH = 200
TRAINING = Training(dataset="idx", network="softmax", optimizer="lars", batch_size=BATCH, epochs=EPOCHS)
UPDATES = 10  # of an epoch
MEMORY = "512m"

AT = UPDATES + UPDATES // 2  # an update in the middle of epoch 2
CLOCK = '\n  at = as.matrix(model["clock"])\n'


@dataclass(frozen=True)
class Edit:
    """A change of the program: a line that a file holds once, and what takes its place."""

    file: str
    old: str
    new: str


Modify = Callable[..., str]  # from edits to the PYTHONPATH of a copy of the program


def in_worker(statements: str, since: int | None = None) -> Edit:
    """Worker 3 carries out some DML in update AT, or as soon as some updates have been made."""
    line = "  worker = as.integer(as.scalar(y[1,1]))"
    moment = f"== {AT}" if since is None else f">= {since}"
    when = f"if (as.scalar(at[1,1]) {moment} & worker == 3)"
    return Edit("dml/worker.dml", line, f"{line}{CLOCK}  {when} {{\n    {statements}\n  }}")


def in_server(statements: str, update: int = AT) -> Edit:
    """The server carries out some DML in an update, before it looks at the gradients."""
    line = '  clock = as.matrix(model["clock"])'
    when = f"if (as.scalar(at[1,1]) == {update})"
    return Edit("dml/server.dml", line, f"{line}{CLOCK}  {when} {{\n    {statements}\n  }}")


class Gate:
    """Where worker 3 or the server waits in update AT. It looks at a file: 1 means shut, 0 means open."""

    REACHED = "the gate is reached"

    def __init__(self, folder: Path) -> None:
        self._file = folder / "gate"
        write_matrix(self._file, 1)

    @property
    def edit(self) -> Edit:
        """Worker 3 waits."""
        return in_worker(self.statements)

    @property
    def statements(self) -> str:
        """DML that waits."""
        look = f'shut = as.scalar(read("{self._file}"))'
        return f'print("{self.REACHED}")\n    {look}\n    while (shut == 1)\n      {look}'

    def wait(self, log: Path) -> None:
        """Until the worker stands there."""
        wait_until(lambda: log.exists() and self.REACHED in log.read_text(errors="replace"))

    def open(self) -> None:
        """Let the worker go on."""
        new = self._file.with_name("opened")
        write_matrix(new, 0)
        new.replace(self._file)


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

    @property
    def temporary(self) -> Path:
        """The folder of temporary files, with a name that is hard to pass on."""
        return self.home / """tem po"ra'ry \\b $HOME"""

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
        self.temporary.mkdir(exist_ok=True)
        process = start(arguments, self.home, **{"TMPDIR": str(self.temporary), **environment})
        self.processes.append(process)
        return process

    def assert_nothing_left(self, *, files: bool = True) -> None:
        """No process, and no temporary files, soon."""
        scratch = str(self.temporary / "largebatch-")
        wait_until(lambda: not session_processes(scratch), TIMEOUT_S)
        for group in self._groups:
            wait_until_gone(group)
        wait_until(lambda: not files or not list(self.temporary.iterdir()), TIMEOUT_S)

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.communicate()


class Undisturbed:
    """Runs that nothing happens to, and the resumption of others, in a session that stays."""

    def __init__(self, session: Session, dataset: Dataset, home: Path, start_seconds: float) -> None:
        self._session = session
        self._dataset = dataset
        self._home = home
        self.start_seconds = start_seconds

    def run(self, mode: str, training: Training = TRAINING) -> RunFolder:
        """A run that nothing happened to."""
        folder = RunFolder(self._home / f"{mode}-{training.data_placement}")
        if folder.result() is None:
            execution = Execution(mode=mode, memory=MEMORY)
            self.go_on(RunFolder.create(folder.path, training, execution, self._dataset))
        return folder

    def copy(self, mode: str, folder: Path) -> RunFolder:
        """A copy of it."""
        shutil.copytree(self.run(mode).path, folder)
        return RunFolder(folder)

    def go_on(self, folder: RunFolder) -> Result:
        """What `largebatch train --resume` does, without the start of a JVM."""
        training, execution = folder.settings()
        shown = functools.partial(Progress, "gone on", training.epochs)
        with folder.lock():
            job = Job(training, execution, self._dataset, folder, new_progress=shown)
            return job.carry_out(self._session)

    def assert_goes_on_from(self, folder: RunFolder, epochs: tuple[int, ...]) -> None:
        """The folder is at one of these epochs, and resumed it ends as if nothing had happened."""
        assert folder.last_epoch() in epochs
        assert self.go_on(folder).status == Status.FINISHED
        self.assert_equal(folder)

    def assert_equal(self, folder: RunFolder) -> None:
        """Metrics and model are those of the run that nothing happened to, to the last bit."""
        training, execution = folder.settings()
        assert_equal_runs(folder.path, self.run(execution.mode, training).path)


def mount(*command: str) -> None:
    """Call mount or umount."""
    subprocess.run(command, check=True, capture_output=True)


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
