"""The process that holds the JVM: runs DML programs as it is told on standard input, one JSON line each.

The parent, engine.session, starts it as `python -m largebatch.engine.child SCRATCH` in that folder, where
the program's DML files lie. It answers by lines on standard output that start with "largebatch ". All other
output is Spark's and SystemDS'. When standard input ends, the parent is gone: the child then ends its whole
process group, the JVM included, and removes the folder.
"""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from py4j.protocol import Py4JNetworkError

from largebatch.engine.batch_job import Ear, check_jvm, settings_of
from largebatch.engine.worker_failures import watched
from largebatch.errors import RunError
from largebatch.settings.spark import is_secret

Request = dict[str, Any]
LOOK_S = 0.5  # between two looks for executors
PIECE = 2**22  # bytes that are converted at a time: 32 MB of doubles at most
MANY_INSTRUCTIONS = 200  # more than there are, to have the times of all

# Exit status of an executor: of its JVM by -XX:+ExitOnOutOfMemoryError, and of Spark.
OUT_OF_MEMORY, OUT_OF_MEMORY_IN_TASK = 3, 52


def _answer(kind: str, text: str = "") -> None:
    print(f"largebatch {kind} {text}".rstrip(), flush=True)


def _root_cause(error: BaseException) -> str:
    """The innermost message of an exception of the JVM, on one line, or the exception's own."""
    if isinstance(error, Py4JNetworkError | ConnectionError):
        return "the JVM died"
    if isinstance(error, RunError):
        return str(error)
    cause = getattr(error, "java_exception", None)
    if cause is None:
        return f"{type(error).__name__}: {error}".splitlines()[0]
    while cause.getCause() is not None:
        cause = cause.getCause()
    name = cause.getClass().getSimpleName()
    message = cause.getMessage() or ""
    told = _cause_of_a_task(message)
    if told is not None:
        return told
    message = " ".join(re.split(r"\n\tat |\n+Driver stacktrace:", message)[0].split())
    return f"{name}: {message}" if message else name


def _cause_of_a_task(message: str) -> str | None:
    """The cause in what Spark says of a job that was aborted: there it is text, with all stacks."""
    lost = re.search(r"ExecutorLostFailure \(executor (\S+).*Reason: (.*)", message)
    if lost is None:
        causes = re.findall(r"^Caused by: (?:[\w$]+\.)*(.*)$", message, re.MULTILINE)
        return causes[-1] if causes else None
    if re.search(rf"code ({OUT_OF_MEMORY}|{OUT_OF_MEMORY_IN_TASK})\b", lost[2]):
        return "an executor ran out of memory: lower --micro-batch, or give executors more memory"
    return f"an executor was lost: {lost[1]}, {lost[2].strip()}"


class SystemDS:
    """SystemDS in the JVM of a Spark session: its own, or that of spark-submit."""

    def __init__(self) -> None:
        self._gateway: Any = None
        self._spark: Any = None
        self._ear: Ear | None = None

    def attach(self) -> None:
        """Join the JVM that spark-submit has started, and answer its settings. Raises RunError."""
        from pyspark.java_gateway import launch_gateway

        self._gateway = launch_gateway()
        check_jvm(self._gateway.jvm)
        self._ear = Ear(self._gateway.jvm, Path(sys.argv[1]))
        settings = settings_of(self._gateway.jvm)
        _answer(json.dumps({name: value for name, value in settings.items() if not is_secret(name)}))

    def launch(self, spark_conf: dict[str, str]) -> None:
        """Start a JVM, with the settings on its command line."""
        from pyspark import SparkConf
        from pyspark.java_gateway import launch_gateway

        self._gateway = launch_gateway(SparkConf(loadDefaults=False).setAll(list(spark_conf.items())))

    def start(
        self,
        spark_conf: dict[str, str],
        systemds_conf: dict[str, str],
        blas: str | None,
        secret: str | None,
    ) -> None:
        """Begin a Spark application; `blas` is a folder from which only this JVM shall load OpenBLAS."""
        from pyspark import SparkConf, SparkContext
        from pyspark.sql import SparkSession

        conf = SparkConf(_jvm=self._gateway.jvm).setAll(list(spark_conf.items()))
        if secret is not None:
            conf.set("spark.authenticate.secret", secret)  # not before: it would be on a command line
        self._spark = SparkSession(SparkContext(conf=conf, gateway=self._gateway))
        self._jvm = self._spark._jvm
        self._api = self._jvm.org.apache.sysds.api.mlcontext
        if blas is not None:
            self._jvm.org.apache.sysds.utils.NativeHelper.initialize(blas, "openblas")
        self._context = self._api.MLContext(self._spark._jsparkSession)
        # Paths are those of this machine, also where Hadoop is configured with another file system.
        for hadoop in (
            self._jvm.org.apache.sysds.conf.ConfigurationManager.getCachedJobConf(),
            self._spark.sparkContext._jsc.hadoopConfiguration(),
        ):
            hadoop.set("fs.defaultFS", "file:///")
        for name, value in systemds_conf.items():
            self._context.setConfigProperty(name, value)

    def wait_for_slots(self, wanted: int, seconds: float) -> None:
        """Return when so many tasks can run at once. Raises RunError if that doesn't come in time."""
        context = self._spark.sparkContext._jsc.sc()
        profile = context.resourceProfileManager().defaultResourceProfile()
        until = time.monotonic() + seconds
        said = -1
        while (there := context.maxNumConcurrentTasks(profile)) < wanted:
            if context.isStopped():
                raise RunError(f"the Spark application was ended while it waited for {wanted} slots")
            if time.monotonic() >= until:
                raise RunError(
                    f"{there} of the {wanted} slots that the workers need came within {seconds:g} s: "
                    "free or add cores and memory for executors, or take fewer --workers"
                )
            if there != said:
                _answer("note", f"{there} of {wanted} slots are there, waiting")
                said = there
            time.sleep(LOOK_S)

    def run(
        self, program: str, arguments: dict[str, Any], single_node: bool, statistics: bool = False
    ) -> None:
        """Run a DML file with $arguments; single_node keeps SystemDS from planning Spark operations.

        With `statistics` SystemDS prints, at the end, what its instructions took.
        """
        self._context.setStatistics(statistics)
        if statistics:
            self._context.setStatisticsMaxHeavyHitters(MANY_INSTRUCTIONS)
        self._compile_again_when_run(not single_node)
        types = self._api.MLContext.ExecutionType
        self._context.setExecutionType(types.DRIVER if single_node else types.DRIVER_AND_SPARK)
        script = self._api.ScriptFactory.dmlFromFile(program)
        for name, value in arguments.items():
            self._input(script, f"${name}", value)
        try:
            self._context.execute(script)
        finally:
            if self._ear is not None:
                self._ear.drain()

    def _compile_again_when_run(self, wanted: bool) -> None:
        """Whether blocks with matrices of unknown size are compiled again whenever they run.

        On a single node that decides nothing, and would take more of a small batch's time than its gradient.
        """
        config = self._jvm.org.apache.sysds.conf
        settings = config.ConfigurationManager.getCompilerConfig()
        kind = getattr(config, "CompilerConfig$ConfigType")
        settings.set(kind.ALLOW_DYN_RECOMPILATION, wanted)
        config.ConfigurationManager.setGlobalConfig(settings)

    def convert(self, array_file: str, out: str) -> None:
        """Write a .npy file of rows, uint8, float32 or float64, as a matrix in SystemDS' binary format.

        Some rows at a time: what SystemDS is given becomes dense before it is stored sparse.
        """
        array = np.load(array_file, mmap_mode="r", allow_pickle=False)
        convert = self._jvm.org.apache.sysds.runtime.util.Py4jConverterUtils.convertPy4JArrayToMB
        types = self._jvm.org.apache.sysds.common.Types.ValueType
        kind = {"uint8": types.UINT8, "float32": types.FP32, "float64": types.FP64}[array.dtype.name]
        pieces = np.array_split(array, min(-(-array.nbytes // PIECE), len(array)))
        names = [f"X{i}" for i in range(len(pieces))]
        script = self._api.ScriptFactory.dml(f"X = {_stacked(names)}\nwrite(X, $out, format='binary')")
        for name, piece in zip(names, pieces, strict=True):
            self._input(script, name, convert(piece.tobytes(), *piece.shape, kind))
        self._input(script, "$out", out)
        self._context.execute(script)

    def close(self) -> None:
        """End the Spark application; executors on a cluster are given back."""
        if self._ear is not None:
            self._ear.close()
        if self._spark is not None:
            self._spark.stop()

    @staticmethod
    def _input(script: Any, name: str, value: Any) -> None:
        getattr(script, "in")(name, value)  # `in` is a word of Python


def _stacked(names: list[str]) -> str:
    """A DML expression of the rows of all matrices, one below the other (rbind wants two at least)."""
    return names[0] if len(names) == 1 else f"rbind({', '.join(names)})"


def _serve(requests: queue.Queue[Request]) -> None:
    """Carry out requests until one says stop; each is answered by "done" or "failed CAUSE"."""
    systemds = SystemDS()
    while (request := requests.get())["do"] != "stop":
        action: Callable[..., None] = getattr(systemds, request["do"])
        try:
            with watched(lambda cause: _answer("failed", cause)):
                action(**request["with"])
            _answer("done")
        except Exception as error:  # whatever it is, the parent decides what it means
            print(error, flush=True)
            _answer("failed", _root_cause(error))
    systemds.close()


def _read_requests(requests: queue.Queue[Request]) -> None:
    for line in sys.stdin:
        requests.put(json.loads(line))
    # The JVM writes as long as it lives, so the folder goes after it, by a process outside of the group.
    subprocess.Popen(
        ["/bin/sh", "-c", 'sleep 1; exec rm -rf -- "$@"', "sh", *sys.argv[1:]],
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    """Serve requests from standard input."""
    requests: queue.Queue[Request] = queue.Queue()
    threading.Thread(target=_read_requests, args=(requests,), daemon=True).start()
    _serve(requests)
    os.killpg(0, signal.SIGKILL)  # the JVM may take its time to end, and has nothing left to do


if __name__ == "__main__":
    main()
