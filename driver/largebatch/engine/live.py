"""Sessions in the JVM of a live SparkSession, which the user's own Python program has built.

The session's process joins that JVM and uses its SparkContext. The context outlives the session, with the
configuration that it had before.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from largebatch.engine.application import wait_for_slots
from largebatch.engine.conf import SPARE_SERVER_THREADS, systemds_conf
from largebatch.engine.host import Host, Opening
from largebatch.engine.jar import system_ds_jar
from largebatch.engine.java import JVM_FLAGS
from largebatch.engine.master import in_process
from largebatch.engine.running_jvm import (
    copy_with_absolute_sources,
    has_system_ds,
    java_version,
    largest_heap,
    missing_flags,
)
from largebatch.engine.versions import JAVA
from largebatch.errors import UserError
from largebatch.settings.execution import Execution

NAME = "largebatch"  # of the group of Spark jobs, and of the JVM's thread that runs a session's programs
GRACE_MS = 5000  # for that thread to end after its Spark jobs
HADOOP_SETTINGS = ("fs.defaultFS", "io.serializations")  # those that a session, or SystemDS, changes

_FIXED = {"spark.dynamicAllocation.enabled": "false", "spark.speculation": "false"}
_TURN = threading.Lock()  # SystemDS can have one context in a JVM


class LiveSession(Host):
    """The JVM of a SparkSession in this Python process. Sessions in it take turns."""

    starts_jvm = False
    can_restart = True
    kind = "with a live SparkSession"
    refused: ClassVar = {
        "master": "the SparkSession has one",
        "memory": "set spark.driver.memory where the SparkSession is built",
        "conf": "set it where the SparkSession is built",
        "secure": "set spark.authenticate where the SparkSession is built",
        "jobs": "SystemDS runs one program at a time in a JVM",
        "isolate": "there is one JVM for all runs",
    }

    def __init__(self, spark: Any) -> None:
        """`spark` is a pyspark.sql.SparkSession. Raises UserError for one of Spark Connect."""
        if type(spark).__module__.startswith("pyspark.sql.connect"):
            raise UserError("a SparkSession of Spark Connect has no JVM here to join: use an own JVM")
        self._spark = spark

    def environment(self, execution: Execution) -> dict[str, str]:
        """That of this process, with the way to the SparkSession's JVM."""
        gateway = self._context._gateway.gateway_parameters
        return os.environ | {
            "PYSPARK_GATEWAY_PORT": str(gateway.port),
            "PYSPARK_GATEWAY_SECRET": gateway.auth_token,
        }

    def programs(self, dml: Path) -> Path:
        """A copy that any working directory can run."""
        placed = dml.with_name("placed")
        copy_with_absolute_sources(dml, placed)
        return placed

    @contextmanager
    def occupied(self, execution: Execution, workers: int) -> Iterator[None]:
        """Wait for other sessions, check the SparkSession, and leave it as it was.

        Raises UserError, with the lines to add, if the SparkSession can't train with so many workers.
        """
        with _TURN:
            self._check(execution, workers)
            with _restored(self._context):
                yield

    def start(self, opening: Opening) -> None:
        """Join the JVM. Raises RunError if that fails, or if a cluster lacks slots for the workers."""
        cluster = not in_process(self._context.master)
        site = opening.site
        opening.request(
            "join",
            opening.execution.stall_timeout,
            systemds_conf=systemds_conf(site, elsewhere=cluster),
            blas=str(site.blas) if site.blas and cluster else None,
        )
        wait_for_slots(opening, self._context.master)

    def heap_bytes(self, execution: Execution) -> int:
        """The heap of the SparkSession's JVM."""
        return largest_heap(self._context._jvm)

    def more_memory(self, execution: Execution) -> str:
        """The setting for it."""
        return "raise spark.driver.memory where the SparkSession is built"

    @property
    def _context(self) -> Any:
        """The SparkContext. Raises UserError if it was stopped."""
        context = self._spark.sparkContext
        if context._jsc is None or context._jsc.sc().isStopped():
            raise UserError("the SparkSession was stopped: build another one")
        return context

    def _check(self, execution: Execution, workers: int) -> None:
        own = Execution()
        self.check_options([name for name in self.refused if _of(execution, name) != _of(own, name)])
        if execution.mode != "spark":
            raise UserError(
                f"--mode {execution.mode} can't be given {self.kind}: nothing could end a program that stalls"
            )
        java = java_version(self._context._jvm)
        if java != JAVA:
            raise UserError(f"the SparkSession runs on Java {java}, {JAVA} is needed: set JAVA_HOME for it")
        self._check_settings(workers)
        self._check_slots(workers)
        _check_unused(self._context._jvm)

    def _check_settings(self, workers: int) -> None:
        context, jvm = self._context, self._context._jvm
        conf = dict(context.getConf().getAll())
        lines = missing_settings(conf, context.master, workers)
        flags = missing_flags(jvm)
        if flags:
            lines["spark.driver.extraJavaOptions"] = " ".join(flags)
        if not has_system_ds(jvm):
            lines["spark.jars"] = str(system_ds_jar())
        if lines:
            added = "".join(f'.config("{name}", "{value}")' for name, value in lines.items())
            raise UserError(
                f"the SparkSession can't train with {workers} workers: add {added} where it is built, before "
                "the program's first SparkSession (under spark-submit, pass them by --conf)"
            )

    def _check_slots(self, workers: int) -> None:
        context = self._context._jsc.sc()
        if not in_process(context.master()):
            return  # executors may still start: the session waits for them
        slots = context.maxNumConcurrentTasks(context.resourceProfileManager().defaultResourceProfile())
        if slots < workers:
            raise UserError(
                f"the SparkSession has {slots} slots for {workers} workers, which would wait for ever: "
                f'add .master("local[{workers}]") where it is built, or take fewer workers'
            )


def _check_unused(jvm: Any) -> None:
    if _threads(jvm):
        raise UserError(
            "a program that an earlier session could not end still runs in the SparkSession's JVM: wait, "
            "or restart your program"
        )
    if _active_system_ds(jvm) is not None:
        raise UserError("SystemDS is in use in the SparkSession's JVM: close its MLContext")


def _of(execution: Execution, name: str) -> Any:
    """A setting; None for an option of `sweep`."""
    return getattr(execution, name, None)


def settings_for(workers: int) -> dict[str, str]:
    """Settings of a SparkSession, as its program builds it, that can train with so many workers."""
    return (
        _FIXED
        | _missing_on_executors({})
        | {
            "spark.driver.extraJavaOptions": " ".join(JVM_FLAGS),
            "spark.ps.io.serverThreads": str(workers + SPARE_SERVER_THREADS),
        }
    )


def missing_settings(conf: Mapping[str, str], master: str, workers: int) -> dict[str, str]:
    """Settings with which a SparkContext could train, of those that its own differ in. Pure."""
    missing = {name: value for name, value in _FIXED.items() if conf.get(name, value).lower() != value}
    threads = workers + SPARE_SERVER_THREADS
    given = conf.get("spark.ps.io.serverThreads", "")
    if not given.isdecimal() or int(given) < threads:
        missing["spark.ps.io.serverThreads"] = str(threads)
    if in_process(master):
        if "," in master:
            missing["spark.master"] = f"local[{workers}]"  # a second number lets tasks start again
        return missing
    return missing | _missing_on_executors(conf)


def _missing_on_executors(conf: Mapping[str, str]) -> dict[str, str]:
    missing = {}
    if conf.get("spark.task.maxFailures") != "1":
        missing["spark.task.maxFailures"] = "1"
    options = f"{conf.get('spark.executor.defaultJavaOptions')} {conf.get('spark.executor.extraJavaOptions')}"
    flags = [flag for flag in JVM_FLAGS if flag not in options.split()]
    if flags:
        missing["spark.executor.extraJavaOptions"] = " ".join(flags)
    jars = f"{conf.get('spark.jars')},{conf.get('spark.yarn.dist.jars')}"
    if system_ds_jar().name not in jars:
        missing["spark.jars"] = str(system_ds_jar())
    return missing


@contextmanager
def _restored(context: Any) -> Iterator[None]:
    """Afterwards cancel what still runs, and put back what a session changes in the JVM.

    All of this happens here, so that it happens even if the session's process was killed.
    """
    from py4j.protocol import Py4JNetworkError

    jvm, hadoop = context._jvm, context._jsc.hadoopConfiguration()
    output = jvm.java.lang.System.out
    before = {name: hadoop.get(name) for name in HADOOP_SETTINGS}
    try:
        yield
    finally:
        with contextlib.suppress(Py4JNetworkError, ConnectionError):  # the JVM has died
            _end_programs(context)
            for name, value in before.items():
                hadoop.unset(name) if value is None else hadoop.set(name, value)
            jvm.java.lang.System.setOut(output)
            active = _active_system_ds(jvm)
            if active is not None:
                active.close()


def _end_programs(context: Any) -> None:
    """End the program that still runs, if its session did not end well."""
    context.cancelJobGroup(NAME)
    for thread in _threads(context._jvm):
        thread.interrupt()  # ends waiting without a Spark job, such as for workers in LOCAL mode
        thread.join(GRACE_MS)
    context.cancelJobGroup(NAME)  # of a job that began meanwhile


def _threads(jvm: Any) -> list[Any]:
    """The JVM's threads that run programs of sessions."""
    return [one for one in jvm.java.lang.Thread.getAllStackTraces().keySet() if one.getName() == NAME]


def _active_system_ds(jvm: Any) -> Any:
    """The MLContext of a JVM; None if there is none."""
    return jvm.org.apache.sysds.api.mlcontext.MLContext.getActiveMLContext()
