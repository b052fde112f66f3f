"""A session: a process with a JVM in which DML programs run, one after the other."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from largebatch.engine import openblas
from largebatch.engine.conf import Site
from largebatch.engine.environment import ALWAYS
from largebatch.engine.host import Host, Opening
from largebatch.engine.jar import linked_alone, system_ds_jar
from largebatch.engine.log import Log
from largebatch.engine.own import OWN_JVM
from largebatch.engine.process import OnLine, SessionProcess, ignore
from largebatch.engine.stop import Stop
from largebatch.engine.user import is_nameless
from largebatch.files.names import Argument, check_path
from largebatch.files.places import cache_dir, dml_root, folder_of_sessions
from largebatch.settings.execution import Execution


class Session:
    """A process with a JVM in which DML programs run, one after the other. A context manager.

    All output goes to `log`, except the lines with which DML programs report progress. A session without a
    sign of life for execution.stall_timeout seconds is killed, and RunError raised. One whose `stop` is set
    raises StoppedError. A cluster has execution.cluster_timeout seconds to answer, and to have slots for all
    workers. Temporary files, and the copy of the DML files that runs, are in a folder of their own that is
    removed with the session. The JVM is that of the `host`. One that runs already outlives the session.
    """

    def __init__(
        self, execution: Execution, workers: int, log: Path, stop: Stop | None = None, host: Host = OWN_JVM
    ) -> None:
        self._execution = execution
        self.workers = workers
        self._log_path = log
        self._stop = stop
        self._host = host
        self._computes_in: dict[str, str] | None = None  # the environment of an own JVM with OpenBLAS
        self._process: SessionProcess | None = None
        self._resources: ExitStack
        self._log: Log
        self._scratch: Path
        self._programs: Path

    def __enter__(self) -> Self:
        environment = self._host.environment(self._execution) | ALWAYS
        jar = system_ds_jar()
        blas = openblas.linked_folder(cache_dir()) if self._execution.native_blas else None
        if blas is not None and self._host.starts_jvm:
            environment |= openblas.better_kernels(environment)
            self._computes_in = environment
        with ExitStack() as resources:
            self._log = Log(self._log_path)
            resources.callback(self._log.close)  # last: on a full disk it fails
            self._scratch = Path(tempfile.mkdtemp(prefix="largebatch-", dir=folder_of_sessions()))
            resources.callback(shutil.rmtree, self._scratch, ignore_errors=True)
            site = Site(self._scratch, linked_alone(jar, self._scratch), blas, is_nameless())
            shutil.copytree(dml_root() / "dml", self.dml)
            self._programs = self._host.programs(self.dml)
            resources.enter_context(self._host.occupied(self._execution, self.workers))
            self._process = SessionProcess(
                self._scratch, environment, self._log, self._host.more_memory(self._execution), self._stop
            )
            resources.push(self._end_process)
            self._host.start(Opening(self._execution, self.workers, site, self._process.request))
            self._resources = resources.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._resources.__exit__(kind, error, trace)

    @property
    def dml(self) -> Path:
        """The copy of the DML files that runs; later changes of the originals don't affect it."""
        return self._scratch / "dml"

    @property
    def process_group(self) -> int:
        """The group of the session's processes: its own, the JVM, and on local masters executors."""
        assert self._process is not None  # noqa: S101 - set on entry
        return self._process.group

    @cached_property
    def kernels(self) -> str | None:
        """OpenBLAS' own name of its kernels; None without it, or in a JVM that others have started."""
        return None if self._computes_in is None else openblas.kernels(self._computes_in)

    @property
    def java_version(self) -> str:
        """The version of the JVM's Java, such as "17.0.15". Raises RunError as `run` does."""
        lines: list[str] = []
        self._request("java_version", lines.append)
        return lines[0]

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
            statistics=statistics,
        )

    def convert(self, array_file: Path, out: Path) -> None:
        """Write a .npy file of rows as a matrix in SystemDS' binary format: uint8, float32 or float64.

        Raises as `run` does.
        """
        check_path(out)
        self._request("convert", array_file=str(array_file), out=str(out))

    def _request(self, do: str, on_line: OnLine = ignore, **arguments: Any) -> None:
        assert self._process is not None  # noqa: S101 - set on entry
        self._process.request(do, self._execution.stall_timeout, on_line, **arguments)

    def _end_process(self, kind: type[BaseException] | None, *error: object) -> None:
        assert self._process is not None  # noqa: S101 - set on entry
        process, self._process = self._process, None
        process.end(gently=kind is None)
