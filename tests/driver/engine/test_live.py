"""What a live SparkSession must have; sessions in a real one are tested end to end."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import pytest

from largebatch.engine.jar import system_ds_jar
from largebatch.engine.java import JVM_FLAGS
from largebatch.engine.live import LiveSession, missing_settings
from largebatch.errors import UserError
from largebatch.settings.execution import Execution

LOCAL = {"spark.ps.io.serverThreads": "6"}
FLAGS = " ".join(JVM_FLAGS)
CLUSTER = LOCAL | {
    "spark.task.maxFailures": "1",
    "spark.executor.extraJavaOptions": f"-Xss8m {FLAGS}",
    "spark.jars": "file:/elsewhere/SystemDS.jar,file:/x/other.jar",
}


@pytest.mark.parametrize(("master", "conf"), [("local[4]", LOCAL), ("spark://host:7077", CLUSTER)])
def test_a_session_that_can_train_lacks_nothing(master: str, conf: dict[str, str]) -> None:
    assert missing_settings(conf, master, 4) == {}
    explicit = {"spark.dynamicAllocation.enabled": "FALSE", "spark.speculation": "false"}
    assert missing_settings(conf | explicit, master, 4) == {}


@pytest.mark.parametrize(
    ("conf", "name", "line"),
    [
        ({"spark.ps.io.serverThreads": "5"}, "spark.ps.io.serverThreads", "6"),
        ({"spark.ps.io.serverThreads": "many"}, "spark.ps.io.serverThreads", "6"),
        ({"spark.dynamicAllocation.enabled": "true"}, "spark.dynamicAllocation.enabled", "false"),
        ({"spark.speculation": "True"}, "spark.speculation", "false"),
        ({"spark.task.maxFailures": "4"}, "spark.task.maxFailures", "1"),
        ({"spark.executor.extraJavaOptions": ""}, "spark.executor.extraJavaOptions", FLAGS),
        ({"spark.jars": "file:/x/other.jar"}, "spark.jars", str(system_ds_jar())),
    ],
)
def test_a_setting_that_would_make_training_wrong_or_hang_is_named(
    conf: dict[str, str], name: str, line: str
) -> None:
    assert missing_settings(CLUSTER | conf, "yarn", 4) == {name: line}


def test_defaults_of_spark_are_not_enough() -> None:
    assert set(missing_settings({}, "local[4]", 4)) == {"spark.ps.io.serverThreads"}
    assert set(missing_settings({}, "yarn", 4)) == {*CLUSTER}
    assert missing_settings(LOCAL, "local[4,3]", 4) == {"spark.master": "local[4]"}


def spark_session(**context: Any) -> Any:
    """As much of a SparkSession as is looked at before its JVM is."""
    running = SimpleNamespace(sc=lambda: SimpleNamespace(isStopped=lambda: False))
    gateway = SimpleNamespace(gateway_parameters=SimpleNamespace(port=4711, auth_token="a token"))  # noqa: S106
    return SimpleNamespace(sparkContext=SimpleNamespace(**{"_jsc": running, "_gateway": gateway} | context))


def test_the_sessions_process_is_led_to_the_jvm() -> None:
    found = {"PYSPARK_GATEWAY_PORT": "4711", "PYSPARK_GATEWAY_SECRET": "a token"}
    assert LiveSession(spark_session()).environment(Execution()) == os.environ | found


@pytest.mark.parametrize(
    ("execution", "words"),
    [
        (
            Execution(master="local[4]"),
            "--master can't be given with a live SparkSession: the SparkSession has",
        ),
        (Execution(memory="1g"), "--memory can't be given with a live SparkSession: set spark.driver.memory"),
        (Execution(conf=("spark.x=y",)), "--conf can't be given with a live SparkSession: set it where the"),
        (Execution(secure=True), "--secure can't be given with a live SparkSession: set spark.authenticate"),
        (Execution(mode="local"), "--mode local can't be given with a live SparkSession: nothing could end"),
    ],
)
def test_settings_that_the_session_has_by_itself_are_refused(execution: Execution, words: str) -> None:
    with (
        pytest.raises(UserError, match=words),
        LiveSession(spark_session()).occupied(execution, 4),
    ):
        pass


def test_a_stopped_session_is_refused() -> None:
    with pytest.raises(UserError, match="the SparkSession was stopped: build another one"):
        LiveSession(spark_session(_jsc=None)).environment(Execution())


def test_a_session_of_spark_connect_is_refused() -> None:
    remote = type("SparkSession", (), {"__module__": "pyspark.sql.connect.session"})()
    with pytest.raises(UserError, match="Spark Connect has no JVM here to join"):
        LiveSession(remote)
