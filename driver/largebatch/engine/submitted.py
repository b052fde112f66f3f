"""Batch jobs: spark-submit has started the JVM, and this program joins it.

The JVM is no child of this program. It cannot be ended and started again, and its flags are fixed. Its
working directory is the one that spark-submit was called in.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from largebatch.engine.jar import system_ds_jar
from largebatch.engine.java import JVM_FLAGS
from largebatch.engine.versions import JAVA
from largebatch.errors import RunError, UserError
from largebatch.files.places import dml_root

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


def copy_with_absolute_sources(dml: Path, to: Path) -> None:
    """Copy DML files; the copies source each other by absolute paths, so any working directory will do."""
    for file in dml.rglob("*.dml"):
        copy = to / file.relative_to(dml)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(file.read_text().replace('"./dml/', f'"{to}/'))


def check_jvm(jvm: Any) -> None:
    """Raises RunError if a JVM was started without a flag, the jar or the Java version that it needs."""
    from py4j.java_gateway import JavaClass

    system = jvm.java.lang.System
    version = system.getProperty("java.specification.version")
    if version != str(JAVA):
        raise RunError(f"spark-submit runs on Java {version}, {JAVA} is needed: set JAVA_HOME for it")
    flags = [flag for flag in JVM_FLAGS if not _has(jvm, flag)]
    jar = isinstance(jvm.org.apache.sysds.api.mlcontext.MLContext, JavaClass)
    if flags or not jar:
        missing = ", ".join([*([] if jar else ["SystemDS.jar"]), *flags])
        raise RunError(
            f"spark-submit has started its JVM without {missing}: call it with "
            f"--properties-file {dml_root() / 'dml' / 'spark.conf'} --jars {system_ds_jar()}"
        )


def _has(jvm: Any, flag: str) -> bool:
    """Whether a JVM behaves as if started with a flag of JVM_FLAGS, whatever the flag's spelling was."""
    name, _, value = flag.partition("=")
    if name == "--add-modules":
        return bool(jvm.java.lang.ModuleLayer.boot().findModule(value).isPresent())
    module, _, package = value.removesuffix("=ALL-UNNAMED").partition("/")
    everyone = jvm.java.lang.ClassLoader.getSystemClassLoader().getUnnamedModule()
    return bool(jvm.java.lang.ModuleLayer.boot().findModule(module).get().isOpen(package, everyone))


def settings_of(jvm: Any) -> dict[str, str]:
    """The settings that spark-submit was called with."""
    return {entry._1(): entry._2() for entry in jvm.org.apache.spark.SparkConf().getAll()}
