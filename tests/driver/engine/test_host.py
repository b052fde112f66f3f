"""The kinds of JVM for sessions: what each refuses, needs and hands on to the session's process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from largebatch.engine import host, own
from largebatch.engine.host import Host
from largebatch.engine.java import Java
from largebatch.engine.own import OWN_JVM
from largebatch.engine.submitted import SubmittedJvm
from largebatch.errors import UserError
from largebatch.settings.execution import Execution

ANOTHER_JVM = {
    "PYSPARK_GATEWAY_PORT": "4711",
    "PYSPARK_GATEWAY_SECRET": "a token",
    "PYSPARK_SUBMIT_ARGS": "--master yarn pyspark-shell",
}


@pytest.fixture(autouse=True)
def program_under_spark_submit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process with another JVM's variables, on a machine with Java 17."""
    for name, value in ANOTHER_JVM.items():
        monkeypatch.setenv(name, value)
    for module in (host, own):
        monkeypatch.setattr(module, "find_java", lambda: Java(tmp_path / "java", "17.0.1", 17))


def test_an_own_jvm_is_not_led_to_another_ones_gateway(tmp_path: Path) -> None:
    environment = OWN_JVM.environment(Execution())
    assert not ANOTHER_JVM.keys() & environment.keys()
    assert environment["JAVA_HOME"] == str(tmp_path / "java")
    assert environment["PATH"] == os.environ["PATH"]


def test_a_batch_job_finds_the_jvm_of_spark_submit() -> None:
    assert SubmittedJvm().environment(Execution()) == dict(os.environ)


def test_options_are_refused_by_the_host_that_cannot_have_them() -> None:
    OWN_JVM.check_options(["master", "memory", "jobs", "isolate", "conf"])
    SubmittedJvm().check_options(["conf", "secure", "cluster_timeout"])
    with pytest.raises(
        UserError, match="--memory can't be given in a batch job: give it to spark-submit as "
    ):
        SubmittedJvm().check_options(["conf", "memory"])


def without_java() -> Java:
    raise UserError("Java 17 is needed")


def test_only_a_host_that_starts_a_jvm_needs_java(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts: tuple[Host, ...] = (OWN_JVM, SubmittedJvm())
    for one in hosts:
        one.require_tools()
    monkeypatch.setattr(host, "find_java", without_java)
    with pytest.raises(UserError, match="Java 17 is needed"):
        OWN_JVM.require_tools()
    SubmittedJvm().require_tools()


def test_every_host_needs_the_jar(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Path:
        raise UserError("SystemDS.jar was not found")

    monkeypatch.setattr(host, "system_ds_jar", missing)
    hosts: tuple[Host, ...] = (OWN_JVM, SubmittedJvm())
    for one in hosts:
        with pytest.raises(UserError, match=r"SystemDS\.jar was not found"):
            one.require_tools()
