"""The commands in one kind of surroundings, and what came of them."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from largebatch.data.idx import read_idx
from tests.environments.rows import Row
from tests.support.java import SHORT_LIVED
from tests.support.outcomes import assert_equal_runs
from tests.support.patience import TIMEOUT_S
from tests.support.processes import children, java_of, members, send_to_all, wait_until
from tests.support.samples import write_bars
from tests.support.study_samples import LARS, SGD, finished_study

COMMANDS = ("train", "report", "doctor", "predict")
STALL_S = 40
WORKS, OTHER = "works", "**other results**"
INHERITED = ("PATH", "HOME", "PYTHONPATH", "JAVA_TOOL_OPTIONS", "SYSTEMROOT")


@dataclass(frozen=True)
class Stage:
    """A folder with data, a study, and what the commands give without anything special."""

    home: Path

    @classmethod
    def prepared(cls, home: Path) -> Stage:
        """Images of 8 x 8, a finished study, and folders that any user can write."""
        stage = cls(home)
        for name in ("data", "tmp", "cache"):
            (home / name).mkdir(parents=True)
            (home / name).chmod(0o777)
        write_bars(home / "data", 240, 8, 5)
        images = read_idx(home / "data" / "t10k-images-idx3-ubyte")
        np.save(home / "images.npy", images)
        finished_study(home / "study", [SGD, LARS])
        return stage

    def environment(self, row: Row, here: Path) -> dict[str, str]:
        """That of the commands: little of this process' own, and what the row has."""
        own = {name: os.environ[name] for name in INHERITED if name in os.environ}
        own |= {"TMPDIR": str(self.home / "tmp"), "XDG_CACHE_HOME": str(self.home / "cache")}
        own.setdefault("JAVA_TOOL_OPTIONS", SHORT_LIVED)
        for name, value in row.variables.items():
            if value is None:
                own.pop(name, None)
            else:
                own[name] = value.format(home=here, path=own.get("PYTHONPATH", ""))
        return own


@dataclass(frozen=True)
class Came:
    """What came of a command: whether it is right, and words for the table."""

    right: bool
    words: str


def concerned(row: Row) -> tuple[str, ...]:
    """The commands to call in a row's surroundings: only a training lasts long enough for a pause."""
    return COMMANDS[:1] if row.pause else COMMANDS


def try_out(stage: Stage, row: Row, command: str) -> Came:
    """Call a command in a new folder."""
    here = Path(tempfile.mkdtemp(dir=stage.home))
    here.chmod(0o777)
    for name, text in row.files.items():
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text(text)
    if row.locale:
        make_locale(row.locale, here / "locales")
    came: Came = getattr(_Trial(stage, row, here), command)()
    shutil.rmtree(here)
    return came


def make_locale(name: str, folder: Path) -> None:
    """A locale of the C library in a folder, for $LOCPATH."""
    language, _, encoding = name.partition(".")
    folder.mkdir()
    command = ("localedef", "-i", language, "-f", encoding, str(folder / name))
    subprocess.run(command, check=True, capture_output=True)


class _Trial:
    def __init__(self, stage: Stage, row: Row, here: Path) -> None:
        self._stage, self._row, self._here = stage, row, here

    def train(self) -> Came:
        more = [each.format(home=self._here) for each in self._row.more or ("--out", "{home}/run")]
        # Where nothing is stopped, so short a time would only end what is slow.
        stall = ("--stall-timeout", STALL_S) if self._row.pause else ()
        done = self._paused(
            "train", "--dataset", "idx", "--data-dir", self._stage.home / "data", "--network", "softmax",
            "--mode", "local", "--epochs", "1", "--workers", "4", "--batch-size", "40", "--memory", "512m",
            *stall, *more,
        )  # fmt: skip
        folder = Path(more[-1])
        if done.returncode:
            return self._refused(done, self._row.train)
        strays = [each.name for each in self._here.glob("jos*") if each.name != folder.parent.name]
        first = self._stage.home / "run"
        if not first.exists():
            shutil.copytree(folder, first)
        with contextlib.suppress(AssertionError):
            assert_equal_runs(folder, first)
            return Came(not self._row.train and not strays, WORKS)
        return Came(False, OTHER)

    def report(self) -> Came:
        done = self._call("report", self._stage.home / "study", "--out", self._here / "report")
        if done.returncode:
            return self._refused(done, WORKS)
        first = self._stage.home / "report"
        if not first.exists():
            shutil.copytree(self._here / "report", first)
        same = contents(first) == contents(self._here / "report")
        return Came(same, WORKS if same else OTHER)

    def doctor(self) -> Came:
        done = self._call("doctor")
        if done.returncode == 0:
            return Came(not self._row.doctor, WORKS)
        lines = done.stdout.splitlines()
        failed = [" ".join(line.split()[1:]) for line in lines if line.startswith("failed")]
        return self._judged(done, failed[-1] if failed else "", self._row.doctor)

    def predict(self) -> Came:
        done = self._call("predict", self._stage.home / "run", self._stage.home / "images.npy")
        if done.returncode:
            return self._refused(done, WORKS)
        first = self._stage.home / "predictions.csv"
        if not first.exists():
            first.write_text(done.stdout)
        same = done.stdout == first.read_text()
        return Came(same, WORKS if same else OTHER)

    def _refused(self, done: subprocess.CompletedProcess[str], wanted: str) -> Came:
        said = [line for line in done.stderr.splitlines() if line.startswith("largebatch: ")]
        sentence = said[-1].removeprefix("largebatch: ").partition("; see ")[0] if said else ""
        return self._judged(done, sentence, wanted)

    def _judged(self, done: subprocess.CompletedProcess[str], sentence: str, wanted: str) -> Came:
        text = done.stdout + done.stderr
        if "Traceback" in text or "\tat " in text or not sentence:
            return Came(False, f"**status {done.returncode}**: {' '.join(text.split())[-300:]}")
        right = bool(wanted) and re.search(wanted, sentence) is not None and done.returncode in (1, 2)
        shown = sentence.replace(str(self._here), "/x").replace(str(self._stage.home), "/x")
        return Came(right, f"status {done.returncode}: {shown}")

    def _call(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._command(*arguments),
            cwd=self._here,
            env=self._stage.environment(self._row, self._here),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def _command(self, *arguments: object) -> list[str]:
        prefix = [each.format(home=self._here) for each in self._row.prefix]
        return [*prefix, sys.executable, "-m", "largebatch", *map(str, arguments)]

    def _paused(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """The command, some of whose processes are stopped for longer than the stall time."""
        if not self._row.pause:
            return self._call(*arguments)
        with subprocess.Popen(
            self._command(*arguments),
            cwd=self._here,
            env=self._stage.environment(self._row, self._here),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            stopped = victims(process.pid, self._row.pause)
            send_to_all(stopped, signal.SIGSTOP)
            if self._row.pause != "JVM":  # else it must be ended, however long that takes
                time.sleep(STALL_S + 5)
                send_to_all(stopped, signal.SIGCONT)
            out, err = process.communicate(timeout=TIMEOUT_S)
        return subprocess.CompletedProcess([], process.returncode, out, err)


def victims(driver: int, pause: str) -> list[int]:
    """Processes to stop, once there is a JVM."""
    wait_until(lambda: any("java" in members(child) for child in children(driver)))
    (session,) = (child for child in children(driver) if "java" in members(child))
    return {"all": [driver, session, java_of(session)], "driver": [driver], "JVM": [java_of(session)]}[pause]


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
