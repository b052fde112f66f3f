"""The session process: what it runs, how its failures are told, and that nothing of it stays behind."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from largebatch.engine.java import find_java
from largebatch.engine.session import Session
from largebatch.errors import RunError
from largebatch.settings.execution import Execution
from tests.support.patience import TIMEOUT_S, limit
from tests.support.processes import children, java_of, wait_until_gone
from tests.support.sockets import listening

pytestmark = [
    pytest.mark.systemds,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc"),
]

PROGRAMS = Path(__file__).parent / "programs"


# ---- sessions ----


@dataclass(frozen=True)
class Opened:
    session: Session
    group: int
    log: Path
    temporary: Path
    start_seconds: float

    def run(self, program: str, **arguments: str | int) -> list[str]:
        """Run a program of tests/driver/programs; returns what it reports."""
        lines: list[str] = []
        self.session.run(str(PROGRAMS / program), dict(arguments), on_line=lines.append)
        return lines


@contextmanager
def opened(folder: Path, stall_timeout: float = Execution.stall_timeout) -> Iterator[Opened]:
    """A session with a small heap. Its log, and all files of its own, lie in the folder.

    That of its temporary files has a name that is hard to pass on.
    """
    execution = Execution(mode="local", memory="512m", native_blas=False, stall_timeout=stall_timeout)
    log, temporary = folder / "log.txt", folder / """tem po"ra'ry \\b $HOME"""
    temporary.mkdir()
    before = children(os.getpid())
    begun = time.monotonic()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(temporary))
        patch.setattr(tempfile, "tempdir", None)
        with Session(execution, workers=2, log=log) as session:
            (group,) = children(os.getpid()) - before
            yield Opened(session, group, log, temporary, time.monotonic() - begun)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """One session for all tests that leave it in order: that it goes on is part of each.

    It starts in a program that has another JVM's gateway, as under spark-submit, and must not join that.
    It leaves neither temporary files nor processes behind.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_GATEWAY_PORT", "1")
        patch.setenv("PYSPARK_GATEWAY_SECRET", "of another JVM")
        with opened(tmp_path_factory.mktemp("session")) as session:
            yield session
    assert list(session.temporary.iterdir()) == []
    wait_until_gone(session.group)


def test_reports_reach_the_caller_and_all_else_the_log(shared: Opened) -> None:
    assert shared.run("fine.dml", words="of three words") == ["note of three words"]
    log = shared.log.read_text()
    assert "nobody's concern" in log.splitlines()
    assert "SystemDS" in log, "and the JVM's own noise"
    assert "of three words" not in log


def test_temporary_files_are_in_a_folder_of_the_session(shared: Opened) -> None:
    (scratch,) = shared.temporary.iterdir()
    arguments = Path(f"/proc/{java_of(shared.group)}/cmdline").read_text().split("\0")
    assert f"-Djava.io.tmpdir={scratch}" in arguments


def test_a_session_reports_the_version_of_its_java(shared: Opened) -> None:
    assert shared.session.java_version == find_java().version


@pytest.mark.parametrize(
    ("program", "cause"),
    [
        ("stop.dml", "x is too large: 3"),
        ("parse.dml", "The following parse issue was encountered: [line 4:4] [Syntax error]"),
        ("dimensions.dml", "Dimensions do not match for matrix multiplication (3!=5)"),
        ("missing.dml", "missing.dml"),
    ],
)
def test_a_program_that_fails_is_told_by_its_cause_and_the_session_goes_on(
    shared: Opened, program: str, cause: str
) -> None:
    with pytest.raises(RunError) as failure:
        shared.run(program, **({"n": 5} if program == "dimensions.dml" else {}))
    message = str(failure.value)
    assert cause in message
    assert message.endswith(f"; see {shared.log}")
    assert len(message.splitlines()) == 1
    assert "java." not in message and "\tat " not in message, "the stack is in the log"
    assert shared.run("fine.dml", words="again") == ["note again"]


def test_the_gateway_is_on_this_machine_alone_and_wants_its_token(shared: Opened) -> None:
    ports = listening([java_of(shared.group), shared.group])
    assert all(address.is_loopback for address, _ in ports)
    answers: list[bytes] = []
    with contextlib.ExitStack() as stack:
        silent = [
            stack.enter_context(socket.create_connection((str(address), port), timeout=TIMEOUT_S))
            for address, port in ports
        ]
        for connection in silent:
            connection.sendall(b"c\nz:java.lang.System\ncurrentTimeMillis\ne\n")
        until = time.monotonic() + TIMEOUT_S  # for the first answer; Spark's own ports give none
        while silent and (ready := select.select(silent, [], [], max(0, until - time.monotonic()))[0]):
            for connection in ready:
                silent.remove(connection)
                with contextlib.suppress(OSError):
                    answers.append(connection.recv(1000))
            if any(answers):
                until = time.monotonic() + 1
    refusals = [answer for answer in answers if answer.startswith(b"!x")]
    assert len(refusals) == 1, answers
    assert b"Authentication error" in refusals[0]
    assert not any(answer.startswith(b"!y") for answer in answers)
    assert shared.run("fine.dml", words="still there") == ["note still there"]


def test_an_array_that_cannot_be_read_is_told_by_its_cause(shared: Opened, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"No such file.*missing\.npy"):
        shared.session.convert(tmp_path / "missing.npy", tmp_path / "out")
    np.save(tmp_path / "array.npy", np.array([[0, 1, 255], [7, 128, 3]], np.uint8))
    shared.session.convert(tmp_path / "array.npy", tmp_path / "out")
    assert (tmp_path / "out.mtd").is_file()


def test_a_matrix_whose_dense_form_is_larger_than_the_heap_is_converted(
    shared: Opened, tmp_path: Path
) -> None:
    rows, columns = 90_000, 784  # 564 MB of doubles
    rng = np.random.default_rng(1)
    array = np.zeros((rows, columns), np.uint8)
    cells = (rng.integers(rows, size=500_000), rng.integers(columns, size=500_000))
    array[cells] = rng.integers(1, 256, size=500_000)
    np.save(tmp_path / "array.npy", array)
    shared.session.convert(tmp_path / "array.npy", tmp_path / "out")
    row, column = np.nonzero(array)
    weighed = int(np.sum((row + 1) * (column + 1) * array[row, column].astype(np.int64)))
    (note,) = shared.run("weigh.dml", matrix=str(tmp_path / "out"))
    assert float(note.removeprefix("note ")) == weighed


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_floats_are_converted_in_pieces_without_a_loss(shared: Opened, tmp_path: Path, kind: str) -> None:
    array = np.zeros((1100, 1000), kind)  # more than is converted at a time
    array[np.arange(1100), np.arange(1100) % 1000] = np.arange(1100) + 0.5
    np.save(tmp_path / "array.npy", array)
    shared.session.convert(tmp_path / "array.npy", tmp_path / "out")
    row, column = np.nonzero(array)
    weighed = np.sum((row + 1) * (column + 1) * array[row, column].astype(np.float64))
    (note,) = shared.run("weigh.dml", matrix=str(tmp_path / "out"))
    assert float(note.removeprefix("note ")) == weighed


def test_a_program_that_stalls_is_stopped_and_so_is_a_jvm_that_hangs(shared: Opened, tmp_path: Path) -> None:
    patience = limit(shared.start_seconds)  # the start must do with it, too
    started = 0.0

    def freeze(line: str) -> None:
        nonlocal started
        os.kill(java_of(session.group), signal.SIGSTOP)  # it can't end by itself any more
        started = time.monotonic()

    with opened(tmp_path, stall_timeout=patience) as session:
        with pytest.raises(RunError) as failure:
            session.session.run(str(PROGRAMS / "loop.dml"), {}, on_line=freeze)
        wait_until_gone(session.group)
        with pytest.raises(RunError) as later:
            session.session.run(str(PROGRAMS / "loop.dml"), {})
    assert str(later.value) == str(failure.value)
    assert patience - 1 <= time.monotonic() - started < patience + TIMEOUT_S
    assert str(failure.value) == (
        f"stalled: no sign of life for {patience} s; if it was only slow, raise --stall-timeout; "
        f"see {session.log}"
    )
    wait_until_gone(session.group)
    assert list(session.temporary.iterdir()) == []


@pytest.mark.parametrize("victim", ["JVM", "session"])
def test_a_death_is_noticed_at_once_and_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], victim: str
) -> None:
    died = 0.0

    def kill(line: str) -> None:
        nonlocal died
        os.kill(java_of(session.group) if victim == "JVM" else session.group, signal.SIGKILL)
        died = time.monotonic()

    with opened(tmp_path) as session:
        with pytest.raises(RunError) as failure:
            session.session.run(str(PROGRAMS / "loop.dml"), {}, on_line=kill)
        assert time.monotonic() - died < TIMEOUT_S
        cause = "the JVM died" if victim == "JVM" else "the session's process died"
        reason = "(signal 9), as when memory runs out, or the CPU time that ulimit -t allows"
        assert str(failure.value) == f"{cause} {reason}; see {session.log}"
        with pytest.raises(RunError, match="died"):
            session.run("fine.dml", words="too late")
    wait_until_gone(session.group)
    assert capfd.readouterr() == ("", ""), "from the start to the end, all but the reports is in the log"


def test_lack_of_memory_is_called_so(tmp_path: Path) -> None:
    with pytest.raises(RunError) as failure, opened(tmp_path) as session:
        session.run("memory.dml")
    cause = "the JVM ran out of memory: raise --memory (now 512m) or lower --micro-batch"
    assert str(failure.value) == f"{cause}; see {session.log}"
    wait_until_gone(session.group)
