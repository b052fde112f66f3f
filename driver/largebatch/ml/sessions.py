"""Where fit trains: in an own JVM, in an own Spark application, or in the program's SparkSession."""

from __future__ import annotations

import os
import sys
from typing import Any

from pyspark.sql import SparkSession

from largebatch.engine.host import Host
from largebatch.engine.java import find_java
from largebatch.engine.live import LiveSession, settings_for
from largebatch.engine.own import OWN_JVM
from largebatch.errors import UserError
from largebatch.settings.execution import Execution
from largebatch.settings.training import Training

MODES = {"local": "local", "own": "spark", "shared": "spark"}


def session_builder(workers: int = Training().workers) -> Any:
    """A builder of a SparkSession in which session="shared" can train with so many workers.

    Its settings hold for a program's first SparkSession alone. The master is that of spark-submit, else
    local[workers], which `.master(...)` replaces. Raises UserError if Java 17 or SystemDS.jar is missing.
    """
    builder = SparkSession.builder
    if "PYSPARK_GATEWAY_PORT" not in os.environ:  # else spark-submit has started the JVM
        os.environ["JAVA_HOME"] = str(find_java().home)
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # of tasks on this machine
        builder = builder.master(f"local[{workers}]")
    for name, value in settings_for(workers).items():
        builder = builder.config(name, value)
    return builder


def host_for(session: str, spark: Any) -> Host:
    """The JVM in which fit trains."""
    return LiveSession(spark) if session == "shared" else OWN_JVM


def check_execution(session: str, execution: Execution) -> None:
    """Raises UserError for settings that the session does not take."""
    if session == "local" and execution.master is not None:
        raise UserError("master is set, and session is 'local', which has no cluster: set session='own', too")
