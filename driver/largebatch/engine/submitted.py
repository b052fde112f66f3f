"""Batch jobs: sessions in the JVM that spark-submit has started.

The JVM is no child of this program. It cannot be ended and started again, and its flags are fixed. Its
working directory is the one that spark-submit was called in.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, ClassVar

from largebatch.engine.application import reach_master, start_application, wait_for_slots
from largebatch.engine.conf import spark_conf, still_effective
from largebatch.engine.host import Host, Opening
from largebatch.engine.jar import system_ds_jar
from largebatch.engine.running_jvm import (
    copy_with_absolute_sources,
    has_system_ds,
    java_version,
    largest_heap,
    missing_flags,
)
from largebatch.engine.versions import JAVA
from largebatch.errors import RunError
from largebatch.files.places import dml_root
from largebatch.settings.execution import Execution


class SubmittedJvm(Host):
    """The JVM of spark-submit, which outlives the session."""

    starts_jvm = False
    can_restart = False
    kind = "in a batch job"
    refused: ClassVar = {
        "master": "give it to spark-submit",
        "memory": "give it to spark-submit as --driver-memory",
        "jobs": "there is one JVM: submit several batch jobs instead, with --only",
        "isolate": "there is one JVM for all runs",
    }

    def environment(self, execution: Execution) -> dict[str, str]:
        """That of this process: spark-submit has put the way to its JVM there."""
        return dict(os.environ)

    def programs(self, dml: Path) -> Path:
        """A copy that any working directory can run."""
        placed = dml.with_name("placed")
        copy_with_absolute_sources(dml, placed)
        return placed

    def start(self, opening: Opening) -> None:
        """Join the JVM and start a Spark application. Raises RunError or UserError if that fails."""
        given: dict[str, str] = {}
        execution = opening.execution
        opening.request("attach", execution.stall_timeout, lambda line: given.update(json.loads(line)))
        conf = spark_conf(execution, opening.workers, opening.site, submitted=given)
        master = conf["spark.master"]
        reach_master(opening, master)
        start_application(opening, master, still_effective(conf))
        if execution.mode == "spark":
            wait_for_slots(opening, master)

    def heap_bytes(self, execution: Execution) -> int:
        """The heap that spark-submit's JVM was started with."""
        from pyspark.java_gateway import launch_gateway

        gateway = launch_gateway()
        try:
            return largest_heap(gateway.jvm)
        finally:
            gateway.close()

    def more_memory(self, execution: Execution) -> str:
        """The option of spark-submit for it."""
        return "give spark-submit more --driver-memory"


def check_jvm(jvm: Any) -> None:
    """Raises RunError if spark-submit has started a JVM without a flag, the jar or the Java that it needs."""
    java = java_version(jvm)
    if java != JAVA:
        raise RunError(f"spark-submit runs on Java {java}, {JAVA} is needed: set JAVA_HOME for it")
    missing = [*([] if has_system_ds(jvm) else ["SystemDS.jar"]), *missing_flags(jvm)]
    if missing:
        raise RunError(
            f"spark-submit has started its JVM without {', '.join(missing)}: call it with "
            f"--properties-file {dml_root() / 'dml' / 'spark.conf'} --jars {system_ds_jar()}"
        )


def settings_of(jvm: Any) -> dict[str, str]:
    """The settings that spark-submit was called with."""
    return {entry._1(): entry._2() for entry in jvm.org.apache.spark.SparkConf().getAll()}
