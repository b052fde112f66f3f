"""The settings of the JVM, of Spark and of SystemDS."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from largebatch.engine.conf import (
    EXECUTOR_FLAGS,
    SECURE,
    Site,
    region_flag,
    spark_conf,
    still_effective,
    systemds_conf,
)
from largebatch.engine.java import ENGLISH, JVM_FLAGS
from largebatch.errors import UserError
from largebatch.settings.execution import Execution
from largebatch.settings.spark import is_secret

SCRATCH, JAR = Path("/x/scratch"), Path("/opt/SystemDS.jar")
SITE = Site(SCRATCH, JAR)


def conf(
    master: str | None = None, workers: int = 4, scratch: Path = SCRATCH, stall_timeout: float = 600
) -> dict[str, str]:
    return spark_conf(Execution(master=master, stall_timeout=stall_timeout), workers, Site(scratch, JAR))


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


def test_a_user_without_a_name_has_one_and_a_home_in_the_jvm() -> None:
    settings = spark_conf(Execution(), 4, Site(SCRATCH, JAR, nameless=True))
    assert {"-Duser.name=largebatch", f"-Duser.home={SCRATCH}"} <= set(
        shlex.split(settings["spark.driver.extraJavaOptions"])
    )
    assert "-Duser.name" not in conf()["spark.driver.extraJavaOptions"]


def test_the_language_of_all_jvms_is_english() -> None:
    for role in ("driver", "executor"):
        assert set(ENGLISH) <= set(conf()[f"spark.{role}.extraJavaOptions"].split())


def test_a_sites_settings_do_not_move_the_driver_or_fetch_packages() -> None:
    assert conf()["spark.submit.deployMode"] == "client"
    assert conf()["spark.jars.packages"] == ""
    wanted = Execution(conf=("spark.jars.packages=a:b:1",))
    assert spark_conf(wanted, 4, SITE)["spark.jars.packages"] == "a:b:1"


def test_spark_is_more_patient_than_any_pause_of_a_day() -> None:
    """It counts the time in which the machine was suspended; the supervisor does not."""
    for name in ("spark.network.timeout", "spark.rpc.askTimeout", "spark.ps.io.connectionTimeout"):
        assert 24 * 3600 < int(conf(stall_timeout=1)[name].removesuffix("s")) < 2**31 // 1000


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


def test_slots_are_counted_with_the_cores_that_a_site_gives_executors() -> None:
    execution = Execution(master="spark://host:7077")
    site = {"spark.executor.cores": "3"}
    assert spark_conf(execution, 4, SITE, of_site=site)["spark.cores.max"] == "6"
    own = Execution(master="spark://host:7077", conf=("spark.executor.cores=2",))
    assert spark_conf(own, 4, SITE, of_site=site)["spark.cores.max"] == "4"


@pytest.mark.parametrize(
    ("conf", "words"),
    [
        ("spark.executor.cores=many", "spark.executor.cores=many must be a whole number, 1 or more"),
        ("spark.task.cpus=0", "spark.task.cpus=0 must be a whole number, 1 or more"),
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
    settings = spark_conf(execution, 4, SITE, submitted=SUBMITTED)
    kept = ("spark.app.name", "spark.jars", "spark.executor.memory", "spark.master")
    assert {name: settings[name] for name in kept} == {name: SUBMITTED[name] for name in kept}
    assert settings["spark.dynamicAllocation.enabled"] == "false"
    assert settings["spark.ps.io.serverThreads"] == "6"
    assert (settings["spark.x"], settings["spark.cores.max"]) == ("y", "4")
    without = {name: value for name, value in SUBMITTED.items() if name != "spark.jars"}
    assert spark_conf(execution, 4, SITE, submitted=without)["spark.jars"] == str(JAR)
    set_later = still_effective(settings)
    assert "spark.executor.memory" in set_later
    assert not [name for name in set_later if name in ("spark.master", "spark.driver.extraClassPath")]


def test_a_jvm_that_runs_keeps_what_it_was_started_with() -> None:
    settings = {
        "spark.master": "yarn", "spark.driver.memory": "1g", "spark.driver.extraClassPath": "x",
        "spark.driver.extraJavaOptions": "-x", "spark.local.dir": "/x", "spark.driver.host": "h",
        "spark.executor.memory": "1g", "spark.submit.deployMode": "client", "spark.jars.packages": "",
    }  # fmt: skip
    assert still_effective(settings) == {"spark.driver.host": "h", "spark.executor.memory": "1g"}


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
