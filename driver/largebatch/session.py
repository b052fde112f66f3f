"""The process that holds the JVM: runs DML programs as it is told on standard input, one JSON line each.

Started by largebatch.launch as `python -m largebatch.session SCRATCH`, in that folder, where the program's
DML files lie. It answers by lines on standard output that start with "largebatch "; all other output is
Spark's and SystemDS'. When standard input ends, its parent is gone: it takes its whole process group,
and with it the JVM, down, and the folder too.
"""

from __future__ import annotations

import json
import os
import queue
import re
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from py4j.protocol import Py4JNetworkError

from largebatch.worker_failures import watched

Request = dict[str, Any]
MANY_INSTRUCTIONS = 200  # more than there are, to have the times of all

# Exit status of an executor: of its JVM by -XX:+ExitOnOutOfMemoryError, and of Spark.
OUT_OF_MEMORY, OUT_OF_MEMORY_IN_TASK = 3, 52


def _answer(kind: str, text: str = "") -> None:
    print(f"largebatch {kind} {text}".rstrip(), flush=True)


def _root_cause(error: BaseException) -> str:
    """The innermost message of an exception of the JVM, on one line, or the exception's own."""
    if isinstance(error, Py4JNetworkError | ConnectionError):
        return "the JVM died"
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
    """SystemDS in the JVM of a Spark session."""

    def __init__(self, spark_conf: dict[str, str], systemds_conf: dict[str, str]) -> None:
        from pyspark import SparkConf
        from pyspark.sql import SparkSession

        self._spark = SparkSession.builder.config(
            conf=SparkConf().setAll(list(spark_conf.items()))
        ).getOrCreate()
        self._jvm = self._spark._jvm
        self._api = self._jvm.org.apache.sysds.api.mlcontext
        self._context = self._api.MLContext(self._spark._jsparkSession)
        for name, value in systemds_conf.items():
            self._context.setConfigProperty(name, value)

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
        self._context.execute(script)

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
        """Write a .npy file of uint8 rows as a matrix in SystemDS' binary format."""
        array = np.load(array_file, allow_pickle=False)
        convert = self._jvm.org.apache.sysds.runtime.util.Py4jConverterUtils.convertPy4JArrayToMB
        uint8 = self._jvm.org.apache.sysds.common.Types.ValueType.UINT8
        script = self._api.ScriptFactory.dml("write(X, $out, format='binary')")
        self._input(script, "X", convert(array.tobytes(), array.shape[0], array.shape[1], uint8))
        self._input(script, "$out", out)
        self._context.execute(script)

    def close(self) -> None:
        """End the Spark application; executors on a cluster are given back."""
        self._spark.stop()

    @staticmethod
    def _input(script: Any, name: str, value: Any) -> None:
        getattr(script, "in")(name, value)  # `in` is a word of Python


def _serve(requests: queue.Queue[Request]) -> None:
    """Carry out requests until one says stop; each is answered by "done" or "failed CAUSE"."""
    systemds: SystemDS | None = None

    def start(spark_conf: dict[str, str], systemds_conf: dict[str, str]) -> None:
        nonlocal systemds
        systemds = SystemDS(spark_conf, systemds_conf)

    while (request := requests.get())["do"] != "stop":
        action: Callable[..., None] = start if request["do"] == "start" else getattr(systemds, request["do"])
        try:
            with watched(lambda cause: _answer("failed", cause)):
                action(**request["with"])
            _answer("done")
        except Exception as error:  # whatever it is, the parent decides what it means
            print(error, flush=True)
            _answer("failed", _root_cause(error))
    if systemds is not None:
        systemds.close()


def _read_requests(requests: queue.Queue[Request]) -> None:
    for line in sys.stdin:
        requests.put(json.loads(line))
    for scratch in sys.argv[1:]:
        shutil.rmtree(scratch, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    """Serve requests from standard input."""
    requests: queue.Queue[Request] = queue.Queue()
    threading.Thread(target=_read_requests, args=(requests,), daemon=True).start()
    _serve(requests)
    os.killpg(0, signal.SIGKILL)  # the JVM may take its time to end, and has nothing left to do


if __name__ == "__main__":
    main()
