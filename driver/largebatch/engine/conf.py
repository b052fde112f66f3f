"""The configuration of a session: flags of its JVM, settings of Spark and of SystemDS. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from largebatch.engine.java import ENGLISH, JVM_FLAGS
from largebatch.engine.master import LOCAL_CLUSTER, choose_master, in_process, is_here
from largebatch.engine.user import NAME
from largebatch.engine.worker_failures import JVM_FLAG as LOG_OF_EXCEPTIONS
from largebatch.errors import UserError
from largebatch.settings.execution import LONGEST_TIMEOUT_S, Execution
from largebatch.settings.spark import REFUSED, merged, parse

# G1's adaptive heuristic would run concurrent marking almost permanently here: feature maps are allocated
# fast but die young. Start marking at a fixed 75 % of the heap.
MARK_LATE = ("-XX:-G1UseAdaptiveIHOP", "-XX:InitiatingHeapOccupancyPercent=75")
# Native BLAS holds the GC locker. A thread that loses the freed memory to others twice gets a spurious
# OutOfMemoryError (JDK-8308507), so raise the retry count.
RETRIES = ("-XX:+UnlockDiagnosticVMOptions", "-XX:GCLockerRetryAllocationCount=100")
# After an OutOfMemoryError, SystemDS' workers would wait for each other for ever: end the JVM instead.
EXECUTOR_FLAGS = (*JVM_FLAGS, *ENGLISH, *MARK_LATE, *RETRIES, "-XX:+ExitOnOutOfMemoryError")
DRIVER_FLAGS = (*EXECUTOR_FLAGS, LOG_OF_EXCEPTIONS)

# A pull blocks a thread of the parameter server until the update is done. With fewer threads than workers,
# the server never serves the pushes that the update needs. The server reads settings named "spark.ps...".
SPARE_SERVER_THREADS = 2

SECURE = {
    "spark.authenticate": "true",
    "spark.network.crypto.enabled": "true",
    "spark.network.crypto.saslFallback": "false",
    "spark.io.encryption.enabled": "true",
}


@dataclass(frozen=True)
class Site:
    """Files of a session on the driver's machine.

    `scratch` is its folder for temporary files, `blas` a folder with libopenblas.so. Without `blas` SystemDS
    computes matrix products in Java. `nameless`: the system has no name for the user.
    """

    scratch: Path
    jar: Path
    blas: Path | None = None
    nameless: bool = False


def spark_conf(
    execution: Execution,
    workers: int,
    site: Site,
    *,
    submitted: Mapping[str, str] | None = None,
    of_site: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Spark's settings for a session; `submitted` are those of spark-submit if it has started the JVM.

    `of_site` has what Spark itself reads about executors: see site_settings.
    Raises UserError for a master, or numbers of cores, with which the workers could not all run.
    """
    given = submitted or {}
    master = given.get("spark.master") or choose_master(execution.master, workers).url
    wanted = parse(execution.conf) | {k: v for k, v in given.items() if k not in REFUSED}
    ours = _for_the_driver(execution, site) | _for_all(execution, workers, site.scratch)
    ours["spark.master"] = master
    if is_here(master):
        ours |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    if not in_process(master):
        ours |= _slots(master, workers, {**(of_site or {}), **wanted})
        if site.jar.name not in f"{wanted.get('spark.jars')},{wanted.get('spark.yarn.dist.jars')}":
            ours["spark.jars"] = str(site.jar)
        if site.blas is not None:  # executors look there before the system's folders
            ours["spark.executor.extraLibraryPath"] = str(site.blas)
    if execution.secure:
        ours |= SECURE
    return merged(ours, wanted)


def still_effective(settings: Mapping[str, str]) -> dict[str, str]:
    """The Spark settings that still take effect when the JVM is already running."""
    too_late = (
        "spark.master",
        "spark.local.dir",
        "spark.driver.memory",
        "spark.driver.extra",
        "spark.submit.deployMode",
        "spark.jars.packages",
    )
    return {name: value for name, value in settings.items() if not name.startswith(too_late)}


def _for_the_driver(execution: Execution, site: Site) -> dict[str, str]:
    """Settings with which the driver's JVM starts."""
    options = [_quoted(f"-Djava.io.tmpdir={site.scratch}")]
    if site.nameless:  # Java calls it "?", and its home too, which Spark refuses
        options += [f"-Duser.name={NAME}", _quoted(f"-Duser.home={site.scratch}")]
    return {
        "spark.driver.extraClassPath": str(site.jar),
        "spark.driver.memory": execution.memory,
        "spark.driver.extraJavaOptions": " ".join(
            (*DRIVER_FLAGS, region_flag(execution.memory_bytes), *options)
        ),
        "spark.local.dir": str(site.scratch / "spark"),
        # A site's spark-defaults.conf may say otherwise, for programs that are not like this one.
        "spark.submit.deployMode": "client",
        "spark.jars.packages": "",
    }


def region_flag(heap: int) -> str:
    """The flag for G1's regions in a heap of so many bytes: 128 regions of 1 to 32 MB each.

    G1 gives an object larger than half a region regions of its own, which is slow. With its default of 2048
    regions, the feature maps of all but the smallest batches are that large.
    """
    size = heap // 128 // 2**20
    return f"-XX:G1HeapRegionSize={2 ** min(max(size, 1).bit_length() - 1, 5)}m"


def _quoted(option: str) -> str:
    """An option in double quotes, as Spark parses options: a backslash escapes quotes and backslashes."""
    escaped = option.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _for_all(execution: Execution, workers: int, scratch: Path) -> dict[str, str]:
    """Settings of the Spark application, whatever the master."""
    # The supervisor watches, and knows when the machine was suspended. Spark counts that time, too, and would
    # take the silence for a loss: it must not give up by itself.
    patience = f"{LONGEST_TIMEOUT_S + 60}s"
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
    """Settings that make a cluster give as many slots as there are workers, and no more."""
    slots, of_executor = _slots_and_cores(wanted)
    executors = -(-workers // slots)
    if master.startswith("spark://"):
        return {"spark.cores.max": str(executors * of_executor)}
    if master.startswith("local-cluster"):
        return {}
    return {"spark.executor.cores": str(of_executor), "spark.executor.instances": str(executors)}


def slots_of_executor(master: str, wanted: Mapping[str, str]) -> int:
    """How many tasks an executor of a cluster runs at once, by a user's settings of Spark."""
    cluster = LOCAL_CLUSTER.fullmatch(master)
    if cluster:
        return max(1, int(cluster[2]) // _cores(wanted, "spark.task.cpus", 1))
    return _slots_and_cores(wanted)[0]


def _slots_and_cores(wanted: Mapping[str, str]) -> tuple[int, int]:
    """How many tasks an executor runs at once, and its cores."""
    of_task = _cores(wanted, "spark.task.cpus", 1)
    of_executor = _cores(wanted, "spark.executor.cores", of_task)
    if of_executor < of_task:
        raise UserError(
            f"spark.executor.cores={of_executor} is less than spark.task.cpus={of_task}: no worker could run"
        )
    return of_executor // of_task, of_executor


def _cores(wanted: Mapping[str, str], name: str, default: int) -> int:
    text = wanted.get(name, str(default))
    if not text.isdecimal() or int(text) < 1:
        raise UserError(f"{name}={text} must be a whole number, 1 or more")
    return int(text)


def systemds_conf(site: Site, *, elsewhere: bool = False) -> dict[str, str]:
    """SystemDS' settings; `elsewhere` means that executors run on other machines.

    Such executors are not told the folder of OpenBLAS. Where it is missing, SystemDS would look for it, and
    warn, at every operator. Without the setting it falls back to Java once.
    """
    conf = {
        "sysds.scratch": str(site.scratch / "systemds"),
        "sysds.localtmpdir": str(site.scratch / "systemds-local"),
        # An epoch's data are several matrices in memory at once; the default of 15 % wrote them to disk.
        "sysds.caching.bufferpoollimit": "40",
    }
    if site.blas is not None:
        conf["sysds.native.blas"] = "openblas"
        if not elsewhere:
            conf["sysds.native.blas.directory"] = str(site.blas)
    return conf
