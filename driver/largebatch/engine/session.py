"""A session: a process with a JVM in which DML programs run, one after the other."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from largebatch.engine import openblas
from largebatch.engine.conf import Site, spark_conf, still_effective, systemds_conf
from largebatch.engine.jar import system_ds_jar
from largebatch.engine.java import find_java
from largebatch.engine.log import Log
from largebatch.engine.master import in_process, reach
from largebatch.engine.process import OnLine, SessionProcess, ignore
from largebatch.engine.secret import shared_secret
from largebatch.engine.stop import Stop
from largebatch.engine.submitted import attached, copy_with_absolute_sources
from largebatch.engine.versions import SPARK
from largebatch.errors import RunError
from largebatch.files.names import DELIMITERS, Argument, check_path
from largebatch.files.places import cache_dir, dml_root
from largebatch.settings.execution import Execution
from largebatch.terminal.say import say

MASTER_S = 20.0  # for Spark's master to come up


def _note(line: str) -> None:
    say(line.removeprefix("note "))


class Session:
    """A process with a JVM in which DML programs run, one after the other. A context manager.

    All output goes to `log`, except the lines with which DML programs report progress. A session without a
    sign of life for execution.stall_timeout seconds is killed, and RunError raised. One whose `stop` is set
    raises StoppedError. A cluster has execution.cluster_timeout seconds to answer, and to have slots for all
    workers. Temporary files, and the copy of the DML files that runs, are in a folder of their own that is
    removed with the session. In a batch job the JVM is that of spark-submit, and outlives the session.
    """

    def __init__(self, execution: Execution, workers: int, log: Path, stop: Stop | None = None) -> None:
        self._execution = execution
        self.workers = workers
        self._stop = stop
        self._log_path = log
        self._log: Log
        self._process: SessionProcess | None = None
        self._scratch: Path

    def __enter__(self) -> Self:
        java_home = None if attached() else find_java().home
        jar = system_ds_jar()
        blas = openblas.linked_folder(cache_dir()) if self._execution.native_blas else None
        self._log = Log(self._log_path)
        self._scratch = Path(tempfile.mkdtemp(prefix="largebatch-"))
        try:
            check_path(self._scratch, DELIMITERS)
            shutil.copytree(dml_root() / "dml", self.dml)
            self._process = SessionProcess(
                self._scratch, _environment(java_home), self._log, self._out_of_memory(), self._stop
            )
            self._begin(Site(self._scratch, jar, blas))
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.end(gently=kind is None)
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._log.close()  # last: on a full disk it fails

    @property
    def dml(self) -> Path:
        """The copy of the DML files that runs; later changes of the originals don't affect it."""
        return self._scratch / "dml"

    @property
    def process_group(self) -> int:
        """The group of the session's processes: its own, the JVM, and on local masters executors."""
        assert self._process is not None  # noqa: S101 - set on entry
        return self._process.group

    @contextmanager
    def logging_to(self, log: Path) -> Iterator[None]:
        """Write all output to another file meanwhile."""
        with self._log.redirected(log):
            yield

    def run(
        self,
        program: str,
        arguments: dict[str, Argument],
        *,
        single_node: bool,
        on_line: OnLine = ignore,
        statistics: bool = False,
    ) -> None:
        """Run a program of dml/; on_line gets each line that starts with "largebatch ", without that word.

        With `statistics` the log gets SystemDS' times of all instructions. Raises RunError with the cause if
        the program fails, stalls or kills its process, UserError for an argument that SystemDS would misread.
        """
        for value in arguments.values():
            check_path(str(value))
        self._request(
            "run",
            on_line,
            program=str(self._programs / program),
            arguments=arguments,
            single_node=single_node,
            statistics=statistics,
        )

    def convert(self, array_file: Path, out: Path) -> None:
        """Write a .npy file of rows as a matrix in SystemDS' binary format: uint8, float32 or float64.

        Raises as `run` does.
        """
        check_path(out)
        self._request("convert", array_file=str(array_file), out=str(out))

    def _request(
        self, do: str, on_line: OnLine = ignore, patience: float | None = None, **arguments: Any
    ) -> None:
        assert self._process is not None  # noqa: S101 - set on entry
        self._process.request(do, patience or self._execution.stall_timeout, on_line, **arguments)

    def _begin(self, site: Site) -> None:
        """Start a Spark application with a slot for each worker."""
        submitted: dict[str, str] | None = None
        self._programs = Path("dml")
        if attached():
            submitted = self._attach()
            self._programs = self._scratch / "placed"
            copy_with_absolute_sources(self.dml, self._programs)
        conf = spark_conf(self._execution, self.workers, site, submitted)
        master = conf["spark.master"]
        reach(master, min(MASTER_S, self._execution.cluster_timeout))
        if submitted:
            conf = still_effective(conf)
        else:
            self._request("launch", spark_conf=conf)
        self._start_application(master, conf, site)
        if self._execution.mode == "spark" and (submitted or not in_process(master)):
            self._wait_for_slots(0 if in_process(master) else self._execution.cluster_timeout)

    def _attach(self) -> dict[str, str]:
        """Join the JVM of spark-submit; returns its settings."""
        settings: dict[str, str] = {}
        self._request("attach", lambda line: settings.update(json.loads(line)))
        return settings

    def _start_application(self, master: str, conf: dict[str, str], site: Site) -> None:
        cluster = not in_process(master)
        try:
            self._request(
                "start",
                patience=self._execution.cluster_timeout if cluster else None,
                spark_conf=conf,
                systemds_conf=systemds_conf(site, elsewhere=cluster),
                blas=str(site.blas) if site.blas and cluster else None,
                secret=shared_secret(self._execution, master),
            )
        except RunError as error:
            if not cluster:
                raise
            raise RunError(
                f"{master} did not take the application: see that it runs Spark {SPARK}, and that --secure "
                f"and the secret are as on the cluster ({error})"
            ) from error

    def _wait_for_slots(self, seconds: float) -> None:
        patience = seconds + self._execution.stall_timeout
        self._request("wait_for_slots", _note, patience, wanted=self.workers, seconds=seconds)

    def _out_of_memory(self) -> str:
        return (
            f"the JVM ran out of memory: raise --memory (now {self._execution.memory}) or lower --micro-batch"
        )


def _environment(java_home: Path | None) -> dict[str, str]:
    """The variables of the session's process."""
    return os.environ | {
        **({"JAVA_HOME": str(java_home)} if java_home else {}),
        "OMP_NUM_THREADS": "1",  # the workers are the parallelism
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
    }
