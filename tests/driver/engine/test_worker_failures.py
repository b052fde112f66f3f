"""Failed workers in the JVM's log of exceptions. That a real JVM writes it so is tested with real faults."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from largebatch.engine import worker_failures
from largebatch.engine.worker_failures import Exceptions, watched

RUNTIME = "org/apache/sysds/runtime/"
PARAMSERV = f"{RUNTIME}controlprogram/paramserv/"


def event(kind: str, message: str, where: str, thread: str = "0x00007fb658ebb360") -> str:
    """An exception that leaves a method, as JVM 17 logs it."""
    told = f": {message}" if message else ""
    return (
        f"[9.480s][info][exceptions] Exception <a '{kind}'{{0x00000000f012eb10}}{told}>\n"
        f" thrown in interpreter method <{{method}} {{0x00007fb669b6a308}} 'm' '(J)V' in '{where}'>\n"
        f" at bci 21 for thread {thread} (workers-pool-thread-4)\n"
    )


def noise(thread: str = "0x00007fb658ebb360") -> str:
    missing = event("java/lang/ClassNotFoundException", "java.lang.Object", "java/lang/ClassLoader", thread)
    return missing + '[9.481s][info][exceptions] Found matching handler for exception of type "x" at BCI: 1\n'


def error(
    message: str, kind: str = f"{RUNTIME}DMLRuntimeException", thread: str = "0x00007fb658ebb360"
) -> str:
    return event(kind, message, f"{RUNTIME}controlprogram/ProgramBlock", thread) + noise(thread)


WRAPPED = (
    error("ERROR: Runtime error in function program block generated between lines 1 and 9 -- Error")
    + error("error executing function ./dml/optimizers/by_name.dml::step")
    + event(f"{RUNTIME}DMLRuntimeException", "Aggregation or validation service failed: ", f"{PARAMSERV}PS")
    + event(f"{RUNTIME}DMLRuntimeException", "Local worker_3 failed", f"{PARAMSERV}LocalPSWorker")
)


def test_the_cause_is_that_below_all_wrappings() -> None:
    log = noise() + error("an earlier one") + error("index out\n of bounds") + WRAPPED
    assert Exceptions().read(log) == "DMLRuntimeException: index out of bounds"


def test_the_log_may_come_in_pieces() -> None:
    log = error("boom", f"{RUNTIME}DMLScriptException") + WRAPPED
    exceptions = Exceptions()
    found = [cause for letter in log if (cause := exceptions.read(letter))]
    assert found[0] == "DMLScriptException: boom"


def test_threads_are_told_apart_and_a_message_may_be_missing() -> None:
    log = error("", "java/lang/NullPointerException") + error("another's", thread="0x1") + WRAPPED
    assert Exceptions().read(log) == "NullPointerException"


def test_exceptions_that_fail_no_worker_are_nothing() -> None:
    assert Exceptions().read(noise() + error("caught by someone")) is None


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The log of a session that has just begun; watching is quick."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(worker_failures, "POLL_S", 0.01)
    monkeypatch.setattr(worker_failures, "GRACE_S", 0.05)
    worker_failures.LOG.write_text(error("of an earlier program") + WRAPPED)
    return worker_failures.LOG


def add(log: Path, text: str) -> None:
    with log.open("a") as file:
        file.write(text)


def told_within(seconds: float, told: list[str]) -> bool:
    until = time.monotonic() + seconds
    while not told and time.monotonic() < until:
        time.sleep(0.01)
    return bool(told)


def test_a_failed_worker_is_told_while_the_program_waits(log: Path) -> None:
    told: list[str] = []
    with watched(told.append):
        add(log, error("boom") + WRAPPED)
        assert told_within(10, told)
    assert told == ["DMLRuntimeException: boom"]


def test_it_is_told_from_a_log_that_was_begun_anew(log: Path) -> None:
    told: list[str] = []
    with watched(told.append):
        log.rename("exceptions.log.0")
        log.write_text(error("boom") + WRAPPED)
        assert told_within(10, told)
    assert told == ["DMLRuntimeException: boom"]


def test_a_program_that_ends_by_itself_tells_its_own_cause(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_failures, "GRACE_S", 60)
    told: list[str] = []
    with watched(told.append):
        add(log, error("boom") + WRAPPED)
    assert told == []


def test_without_a_log_nothing_is_told(log: Path) -> None:
    log.unlink()
    told: list[str] = []
    with watched(told.append):
        assert not told_within(0.1, told)
