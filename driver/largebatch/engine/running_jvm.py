"""A JVM that another program has started: what it lacks, and DML files for its working directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from largebatch.engine.java import ENGLISH, JVM_FLAGS, UNUSABLE_LANGUAGES


def copy_with_absolute_sources(dml: Path, to: Path) -> None:
    """Copy DML files; the copies source each other by absolute paths, so any working directory will do."""
    for file in dml.rglob("*.dml"):
        copy = to / file.relative_to(dml)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(file.read_text().replace('"./dml/', f'"{to}/'))


def java_version(jvm: Any) -> int:
    """The first number of a JVM's version."""
    return int(jvm.java.lang.System.getProperty("java.specification.version").removeprefix("1."))


def largest_heap(jvm: Any) -> int:
    """Bytes that a JVM's heap may grow to."""
    return int(jvm.java.lang.Runtime.getRuntime().maxMemory())


def has_system_ds(jvm: Any) -> bool:
    """Whether a JVM finds SystemDS' classes."""
    from py4j.java_gateway import JavaClass

    return isinstance(jvm.org.apache.sysds.api.mlcontext.MLContext, JavaClass)


def missing_flags(jvm: Any) -> list[str]:
    """The flags that a JVM needs and was started without, whatever their spelling was."""
    missing = [flag for flag in JVM_FLAGS if not _has(jvm, flag)]
    if jvm.java.util.Locale.getDefault().getLanguage() in UNUSABLE_LANGUAGES:
        missing += ENGLISH
    return missing


def _has(jvm: Any, flag: str) -> bool:
    name, _, value = flag.partition("=")
    if name == "--add-modules":
        return bool(jvm.java.lang.ModuleLayer.boot().findModule(value).isPresent())
    module, _, package = value.removesuffix("=ALL-UNNAMED").partition("/")
    everyone = jvm.java.lang.ClassLoader.getSystemClassLoader().getUnnamedModule()
    return bool(jvm.java.lang.ModuleLayer.boot().findModule(module).get().isOpen(package, everyone))
