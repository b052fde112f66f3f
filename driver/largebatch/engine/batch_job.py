"""Running as a batch job: spark-submit has started the JVM, and this program joins it.

Such a JVM is no child of this program. It can't be ended and started again, what it was started with
can't be changed, and it looks for DML files from where spark-submit was called.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from largebatch.engine.java import JVM_FLAGS, REQUIRED
from largebatch.engine.spark import system_ds_jar
from largebatch.errors import RunError, UserError
from largebatch.files.places import dml_root

PATIENCE_S = 30.0  # for a line to come from the JVM
NOT_THERE = {
    "master": "give it to spark-submit",
    "memory": "give it to spark-submit as --driver-memory",
    "jobs": "there is one JVM: submit several batch jobs instead, with --only",
    "isolate": "there is one JVM for all runs",
}


def attached() -> bool:
    """Whether spark-submit has started this process, and a JVM for it."""
    return "PYSPARK_GATEWAY_PORT" in os.environ


def check_options(given: Collection[str]) -> None:
    """Raises UserError for options of `sweep` that a batch job can't have."""
    for name in given:
        if attached() and name in NOT_THERE:
            raise UserError(f"--{name} can't be given in a batch job: {NOT_THERE[name]}")


def place(dml: Path, to: Path) -> None:
    """Copy DML files so that they find each other from everywhere."""
    for file in dml.rglob("*.dml"):
        copy = to / file.relative_to(dml)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(file.read_text().replace('"./dml/', f'"{to}/'))


def check_jvm(jvm: Any) -> None:
    """Raises RunError if a JVM lacks what it would have had to be started with."""
    from py4j.java_gateway import JavaClass

    system = jvm.java.lang.System
    version = system.getProperty("java.specification.version")
    if version != str(REQUIRED):
        raise RunError(f"spark-submit runs on Java {version}, {REQUIRED} is needed: set JAVA_HOME for it")
    flags = [flag for flag in JVM_FLAGS if not _has(jvm, flag)]
    jar = isinstance(jvm.org.apache.sysds.api.mlcontext.MLContext, JavaClass)
    if flags or not jar:
        missing = ", ".join([*([] if jar else ["SystemDS.jar"]), *flags])
        raise RunError(
            f"spark-submit has started its JVM without {missing}: call it with "
            f"--properties-file {dml_root() / 'dml' / 'spark.conf'} --jars {system_ds_jar()}"
        )


def _has(jvm: Any, flag: str) -> bool:
    """Whether a JVM behaves as started with a flag of JVM_FLAGS, however it was written."""
    name, _, value = flag.partition("=")
    if name == "--add-modules":
        return bool(jvm.java.lang.ModuleLayer.boot().findModule(value).isPresent())
    module, _, package = value.removesuffix("=ALL-UNNAMED").partition("/")
    everyone = jvm.java.lang.ClassLoader.getSystemClassLoader().getUnnamedModule()
    return bool(jvm.java.lang.ModuleLayer.boot().findModule(module).get().isOpen(package, everyone))


def settings_of(jvm: Any) -> dict[str, str]:
    """What spark-submit was called with."""
    return {entry._1(): entry._2() for entry in jvm.org.apache.spark.SparkConf().getAll()}


class Ear:
    """Brings what a JVM prints, which has a standard output of its own, to that of this process."""

    def __init__(self, jvm: Any, folder: Path) -> None:
        self._system = jvm.java.lang.System
        self._before = self._system.out
        self._end = "largebatch-end"
        self._heard = threading.Event()
        pipe = folder / "output"
        os.mkfifo(pipe)
        threading.Thread(target=self._listen, args=(pipe,), daemon=True).start()
        self._system.setOut(jvm.java.io.PrintStream(jvm.java.io.FileOutputStream(str(pipe)), True))

    def _listen(self, pipe: Path) -> None:
        with pipe.open("rb") as lines:
            for line in lines:
                if line.strip() == self._end.encode():
                    self._heard.set()
                else:
                    os.write(1, line)  # whole lines, so that they don't mix with this process' own

    def drain(self) -> None:
        """Returns when all that was printed has been passed on."""
        self._heard.clear()
        self._system.out.println(self._end)
        self._heard.wait(PATIENCE_S)

    def close(self) -> None:
        """Give the JVM its own output back."""
        self._system.setOut(self._before)


def later(settings: Mapping[str, str]) -> dict[str, str]:
    """Of Spark's settings those that count when a context is made in a JVM that runs already."""
    too_late = ("spark.master", "spark.local.dir", "spark.driver.memory", "spark.driver.extra")
    return {name: value for name, value in settings.items() if not name.startswith(too_late)}
