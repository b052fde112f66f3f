"""SystemDS in the session's process: the actions that the parent can request."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from largebatch.engine.live import NAME
from largebatch.engine.output_relay import OutputRelay
from largebatch.engine.submitted import check_jvm, settings_of
from largebatch.engine.user import NAME as USER
from largebatch.engine.user import is_nameless
from largebatch.errors import RunError
from largebatch.patience import Patience
from largebatch.settings.spark import is_secret

POLL_S = 0.5  # between two counts of the slots
PIECE = 2**22  # bytes that are converted at a time: 32 MB of doubles at most
TOLERANCE = 1e-11  # of sums of numbers, relative to those of their sizes
MANY_INSTRUCTIONS = 200  # more than there are, so that statistics have them all


def answer(kind: str, text: str = "") -> None:
    """Report a line to the parent."""
    tell(f"largebatch {kind} {text}".rstrip())


def tell(line: str) -> None:
    """Write a line at once. `print` writes its end separately, and lines of the JVM may come in between."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class SystemDS:
    """SystemDS in a JVM: its own, that of spark-submit, or that of a live SparkSession."""

    def __init__(self) -> None:
        self._gateway: Any = None
        self._spark: Any = None
        self._relay: OutputRelay | None = None

    @property
    def jvm(self) -> subprocess.Popen[bytes] | None:
        """The process of the JVM, if this process has started it."""
        return self._gateway.proc if self._gateway is not None else None

    def attach(self) -> None:
        """Join the JVM that spark-submit has started, and report its settings. Raises RunError."""
        from pyspark.java_gateway import launch_gateway

        self._gateway = launch_gateway()
        check_jvm(self._gateway.jvm)
        self._relay = OutputRelay(self._gateway.jvm, Path(sys.argv[1]))
        settings = settings_of(self._gateway.jvm)
        answer(json.dumps({name: value for name, value in settings.items() if not is_secret(name)}))

    def join(self, systemds_conf: dict[str, str], blas: str | None) -> None:
        """Join the JVM of a live SparkSession, and use its SparkContext."""
        from pyspark.java_gateway import launch_gateway

        self._gateway = launch_gateway()
        jvm = self._gateway.jvm
        self._relay = OutputRelay(jvm, Path(sys.argv[1]))
        spark = jvm.org.apache.spark.sql.SparkSession.getDefaultSession().get()
        spark.sparkContext().setJobGroup(NAME, "training by largebatch", True)  # of this thread's jobs
        jvm.java.lang.Thread.currentThread().setName(NAME)
        self._open(spark, systemds_conf, blas)

    def launch(self, spark_conf: dict[str, str]) -> None:
        """Start a JVM, with the settings on its command line."""
        from pyspark import SparkConf
        from pyspark.java_gateway import launch_gateway

        self._gateway = launch_gateway(SparkConf(loadDefaults=False).setAll(list(spark_conf.items())))
        if is_nameless():  # Hadoop would ask the system for the name, again and again, and fail
            users = self._gateway.jvm.org.apache.hadoop.security.UserGroupInformation
            users.setLoginUser(users.createRemoteUser(USER))

    def start(
        self,
        spark_conf: dict[str, str],
        systemds_conf: dict[str, str],
        blas: str | None,
        secret: str | None,
    ) -> None:
        """Start a Spark application; only this JVM loads OpenBLAS from the folder `blas`."""
        from pyspark import SparkConf, SparkContext
        from pyspark.sql import SparkSession

        conf = SparkConf(_jvm=self._gateway.jvm).setAll(list(spark_conf.items()))
        if secret is not None:
            conf.set("spark.authenticate.secret", secret)  # not earlier: it would be on a command line
        self._spark = SparkSession(SparkContext(conf=conf, gateway=self._gateway))
        self._open(self._spark._jsparkSession, systemds_conf, blas)

    def _open(self, spark: Any, systemds_conf: dict[str, str], blas: str | None) -> None:
        """Get SystemDS ready in a SparkSession of the JVM."""
        self._jvm = self._gateway.jvm
        self._scala_context = spark.sparkContext()
        self._api = self._jvm.org.apache.sysds.api.mlcontext
        if blas is not None:
            self._jvm.org.apache.sysds.utils.NativeHelper.initialize(blas, "openblas")
        self._context = self._api.MLContext(spark)
        # Paths are those of this machine, even if Hadoop is configured with another file system.
        for hadoop in (
            self._jvm.org.apache.sysds.conf.ConfigurationManager.getCachedJobConf(),
            self._scala_context.hadoopConfiguration(),
        ):
            hadoop.set("fs.defaultFS", "file:///")
        for name, value in systemds_conf.items():
            self._context.setConfigProperty(name, value)

    def java_version(self) -> None:
        """Report the version of the JVM's Java."""
        answer(self._jvm.java.lang.System.getProperty("java.version"))

    def wait_for_slots(self, wanted: int, seconds: float) -> None:
        """Return when so many tasks can run at once. Raises RunError after `seconds`."""
        context = self._scala_context
        profile = context.resourceProfileManager().defaultResourceProfile()
        left = Patience(seconds)
        reported = -1
        while (slots := context.maxNumConcurrentTasks(profile)) < wanted:
            if context.isStopped():
                raise RunError(f"the Spark application was ended while it waited for {wanted} slots")
            if not left.piece():
                raise RunError(
                    f"{slots} of the {wanted} slots that the workers need came within {seconds:g} s: "
                    "free or add cores and memory for executors, or take fewer --workers"
                )
            if slots != reported:
                answer("note", f"{slots} of {wanted} slots are there, waiting")
                reported = slots
            time.sleep(POLL_S)

    def run(self, program: str, arguments: dict[str, Any], statistics: bool = False) -> None:
        """Run a DML file with $arguments: all but paramserv in this JVM, see dml/transport/spark.dml.

        With `statistics` SystemDS prints the times of its instructions at the end.
        """
        self._context.setStatistics(statistics)
        if statistics:
            self._context.setStatisticsMaxHeavyHitters(MANY_INSTRUCTIONS)
        self._context.setExecutionType(self._api.MLContext.ExecutionType.DRIVER)
        self._compile_once()
        script = self._api.ScriptFactory.dmlFromFile(program)
        for name, value in arguments.items():
            self._input(script, f"${name}", value)
        try:
            self._context.execute(script)
            if self._spark is not None:  # in the JVM of a live SparkSession others may use SystemDS
                self._forget()
        finally:
            if self._relay is not None:
                self._relay.drain()

    def _forget(self) -> None:
        """Drop what SystemDS holds of a program that has ended, in memory and in files.

        It keeps each worker's part of the data of every call of paramserv (LocalDataPartitioner), and writes
        those parts to files as memory gets short: all the training data once an epoch.
        """
        cache = self._jvm.org.apache.sysds.runtime.controlprogram.caching.CacheableData
        cache.cleanupCacheDir()
        cache.initCaching()

    def _compile_once(self) -> None:
        """Keep SystemDS from compiling blocks with matrices of unknown size again at every execution.

        On a single node this changes no decision, and takes longer than the gradient of a small batch.
        """
        config = self._jvm.org.apache.sysds.conf
        settings = config.ConfigurationManager.getCompilerConfig()
        kind = getattr(config, "CompilerConfig$ConfigType")
        settings.set(kind.ALLOW_DYN_RECOMPILATION, False)
        config.ConfigurationManager.setGlobalConfig(settings)

    def convert(self, array_file: str, out: str) -> None:
        """Write a .npy file of rows (uint8, float32, float64) as a matrix in SystemDS' binary format.

        Rows are converted in pieces, because SystemDS makes a dense matrix of its input first. Raises
        RuntimeError if they do not stand in SystemDS' matrix as in the array: such a matrix was seen.
        """
        array = np.load(array_file, mmap_mode="r", allow_pickle=False)
        convert = self._jvm.org.apache.sysds.runtime.util.Py4jConverterUtils.convertPy4JArrayToMB
        types = self._jvm.org.apache.sysds.common.Types.ValueType
        kind = {"uint8": types.UINT8, "float32": types.FP32, "float64": types.FP64}[array.dtype.name]
        pieces = np.array_split(array, min(-(-array.nbytes // PIECE), len(array)))
        names = [f"X{i}" for i in range(len(pieces))]
        script = self._api.ScriptFactory.dml(
            f"X = {_stacked(names)}\n"
            "place = as.scalar(t(seq(1, nrow(X))) %*% rowSums(X))\n"
            "write(X, $out, format='binary')"
        ).out("place")
        for name, piece in zip(names, pieces, strict=True):
            self._input(script, name, convert(piece.tobytes(), *piece.shape, kind))
        self._input(script, "$out", out)
        found = self._context.execute(script).getDouble("place")
        wanted, size = _places(pieces)
        if not abs(found - wanted) <= TOLERANCE * size:
            raise RuntimeError(f"SystemDS put the rows of {array_file} together wrongly: start again")

    def close(self) -> None:
        """End the Spark application; a cluster gets its executors back."""
        if self._relay is not None:
            self._relay.close()
        if self._spark is not None:
            self._spark.stop()

    @staticmethod
    def _input(script: Any, name: str, value: Any) -> None:
        getattr(script, "in")(name, value)  # `in` is a keyword of Python


def _places(pieces: list[np.ndarray]) -> tuple[float, float]:
    """Sum of all numbers, each times its row's number from 1; and the same of their absolute values."""
    total = size = 0.0
    first = 1
    for piece in pieces:
        rows = np.arange(first, first + len(piece))
        total += float(rows @ piece.sum(axis=1, dtype=np.float64))
        size += float(rows @ np.abs(piece).sum(axis=1, dtype=np.float64))
        first += len(piece)
    return total, size


def _stacked(names: list[str]) -> str:
    """A DML expression that puts matrices one below the other (rbind takes two at least)."""
    return names[0] if len(names) == 1 else f"rbind({', '.join(names)})"
