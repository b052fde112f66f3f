"""The one process boundary: starts the session process, speaks with it, watches it, ends it."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from largebatch.engine import openblas as native
from largebatch.engine.batch_job import attached, later, place
from largebatch.engine.java import find_java
from largebatch.engine.spark import (
    Site,
    in_process,
    shared_secret,
    spark_conf,
    standalone_addresses,
    system_ds_jar,
    systemds_conf,
)
from largebatch.errors import RunError
from largebatch.files.names import DELIMITERS, Argument, check_path
from largebatch.files.places import cache_dir, dml_root
from largebatch.files.safe import no_link
from largebatch.settings.execution import Execution
from largebatch.terminal.say import say

OnLine = Callable[[str], None]
MARK = "largebatch "
GRACE_S = 5.0  # from asking a session to end to killing it
CONNECT_S = 10.0  # for a machine to take a connection
MASTER_S = 20.0  # for Spark's master to come up
RETRY_S = 0.5


def _ignore(line: str) -> None:
    pass


def _note(line: str) -> None:
    say(line.removeprefix("note "))


def _reach(master: str, patience: float) -> None:
    """Raises RunError if no master of a standalone cluster takes connections: Spark would try for minutes.

    One that is started together with this process, as containers are, gets some seconds to come up.
    """
    addresses = standalone_addresses(master)
    deadline = time.monotonic() + patience
    while addresses:
        for address in addresses:
            with contextlib.suppress(OSError), socket.create_connection(address, CONNECT_S):
                return
        if time.monotonic() > deadline:
            raise RunError(
                f"nothing answers at {master}: see that Spark's master runs there, and the address"
            )
        time.sleep(RETRY_S)


def _append(log: Path) -> IO[bytes]:
    """Open a log to write at its end. Raises RunError if that can't be."""
    try:
        return open(log, "ab", opener=no_link)
    except OSError as error:
        raise RunError(f"{log} can't be written: {error.strerror}") from error


class StoppedError(Exception):
    """A session was asked to end by its Stop. Not a failure of what ran in it."""


class Stop:
    """Ends the sessions that know it, from any thread and for good."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._ear, self._mouth = socket.socketpair()

    def set(self) -> None:
        """Have the sessions that run, and those still to come, raise StoppedError."""
        self._event.set()
        self._mouth.send(b"!")  # never read, so that every session hears it

    def is_set(self) -> bool:
        """Whether it was asked to."""
        return self._event.is_set()

    def fileno(self) -> int:
        """What becomes readable when it is set."""
        return self._ear.fileno()

    def close(self) -> None:
        """After the last session."""
        self._ear.close()
        self._mouth.close()


class Session:
    """A process with a JVM in which DML programs run, one after the other. A context manager.

    All output goes to `log`, but for the lines of DML programs that report progress. A session without
    a sign of life for execution.stall_timeout seconds is killed, and RunError raised; one whose `stop`
    is set raises StoppedError. A cluster has execution.cluster_timeout seconds to answer and to have slots
    for all workers. Temporary files, and the copy of the DML files that runs, lie in a folder of their own
    and go with the session. In a batch job the JVM is that of spark-submit, and stays when a session ends.
    """

    def __init__(self, execution: Execution, workers: int, log: Path, stop: Stop | None = None) -> None:
        self._execution = execution
        self.workers = workers
        self._stop = stop
        self._log_path = log
        self._log: IO[bytes]
        self._process: subprocess.Popen[bytes] | None = None
        self._scratch: Path
        self._buffer = b""
        self._out_of_memory = False

    def __enter__(self) -> Self:
        java_home = None if attached() else find_java().home
        jar = system_ds_jar()
        blas = native.prepare(cache_dir()) if self._execution.native_blas else None
        self._scratch = Path(tempfile.mkdtemp(prefix="largebatch-"))
        self._log = _append(self._log_path)
        try:
            check_path(self._scratch, DELIMITERS)
            shutil.copytree(dml_root() / "dml", self.dml)
            self._process = self._start(java_home)
            self._begin(Site(self._scratch, jar, blas))
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._end(gently=kind is None)
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._log.close()  # last: on a full disk it fails

    @property
    def dml(self) -> Path:
        """The copy of the DML files that runs: what happens to the originals does not matter to it."""
        return self._scratch / "dml"

    @property
    def process_group(self) -> int:
        """Group of the session's processes: its own and the JVM, on local masters executors too."""
        assert self._process is not None  # noqa: S101 - set on entry
        return self._process.pid

    @contextlib.contextmanager
    def logging_to(self, log: Path) -> Iterator[None]:
        """Put what is said in the meantime into another file."""
        own_path, own = self._log_path, self._log
        with _append(log) as file:
            self._log_path, self._log = log, file
            try:
                yield
            finally:
                self._log_path, self._log = own_path, own

    def run(
        self,
        program: str,
        arguments: dict[str, Argument],
        *,
        single_node: bool,
        on_line: OnLine = _ignore,
        statistics: bool = False,
    ) -> None:
        """Run a program of dml/ and hand each line that starts with "largebatch " (less that) to on_line.

        With `statistics` the log gets SystemDS' times of all instructions. Raises RunError with the cause
        if the program fails, stalls or takes its process with it, UserError for an argument that SystemDS
        would misread.
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

    def _begin(self, site: Site) -> None:
        """Have a Spark application with all slots that the workers need."""
        submitted: dict[str, str] | None = None
        self._programs = Path("dml")
        if attached():
            submitted = self._attach()
            self._programs = self._scratch / "placed"
            place(self.dml, self._programs)
        conf = spark_conf(self._execution, self.workers, site, submitted)
        master = conf["spark.master"]
        _reach(master, min(MASTER_S, self._execution.cluster_timeout))
        if submitted:
            conf = later(conf)
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
                f"{master} did not take the application: see that it runs Spark 3.5, and that --secure "
                f"and the secret are as on the cluster ({error})"
            ) from error

    def _wait_for_slots(self, seconds: float) -> None:
        patience = seconds + self._execution.stall_timeout
        self._request("wait_for_slots", _note, patience, wanted=self.workers, seconds=seconds)

    def _start(self, java_home: Path | None) -> subprocess.Popen[bytes]:
        environment = os.environ | {
            **({"JAVA_HOME": str(java_home)} if java_home else {}),
            "OMP_NUM_THREADS": "1",  # the workers are the parallelism
            "OPENBLAS_NUM_THREADS": "1",
            "PYTHONUNBUFFERED": "1",
        }
        return subprocess.Popen(
            [sys.executable, "-m", "largebatch.engine.child", str(self._scratch)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self._scratch,
            env=environment,
            start_new_session=True,  # one group to end, and Ctrl-C reaches only this process
        )

    def _request(
        self, do: str, on_line: OnLine = _ignore, patience: float | None = None, **arguments: Any
    ) -> None:
        assert self._process is not None and self._process.stdin is not None  # noqa: S101 - set on entry
        message = json.dumps({"do": do, "with": arguments})
        try:
            self._process.stdin.write(message.encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise RunError(f"the session's process has ended; see {self._log_path}") from None
        for line in self._lines(patience or self._execution.stall_timeout):
            if line == "done":
                return
            if line.startswith("failed"):
                raise RunError(f"{self._cause(line.removeprefix('failed').strip())}; see {self._log_path}")
            on_line(line)

    def _lines(self, patience: float) -> Iterator[str]:
        """Lines for this program, as they come; all others go to the log."""
        assert self._process is not None and self._process.stdout is not None  # noqa: S101
        last_sign = time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if self._stop is not None:
                selector.register(self._stop, selectors.EVENT_READ)
            while True:
                waited = time.monotonic() - last_sign
                if waited > patience:
                    raise RunError(f"stalled: no sign of life for {patience:g} s; see {self._log_path}")
                if not selector.select(timeout=patience - waited):
                    continue
                if self._stop is not None and self._stop.is_set():
                    raise StoppedError
                chunk = os.read(self._process.stdout.fileno(), 65536)
                if not chunk:
                    raise RunError(f"the session's process died{self._exit_reason()}; see {self._log_path}")
                for line in self._split(chunk):
                    last_sign = time.monotonic()
                    yield line

    def _split(self, chunk: bytes) -> Iterator[str]:
        *lines, self._buffer = (self._buffer + chunk).split(b"\n")
        for raw in lines:
            line = raw.decode(errors="replace")
            if line.startswith(MARK):
                yield line.removeprefix(MARK)
            else:
                self._log.write(raw + b"\n")
                self._out_of_memory |= b"java.lang.OutOfMemoryError" in raw
        self._log.flush()

    def _cause(self, answer: str) -> str:
        if self._out_of_memory:
            memory = self._execution.memory
            return f"the JVM ran out of memory: raise --memory (now {memory}) or lower --micro-batch"
        return answer

    def _exit_reason(self) -> str:
        assert self._process is not None  # noqa: S101
        try:
            status = self._process.wait(timeout=GRACE_S)
        except subprocess.TimeoutExpired:
            return ""
        return f" (signal {-status})" if status < 0 else f" (exit status {status})"

    def _end(self, *, gently: bool) -> None:
        """End the process and all it has started."""
        assert self._process is not None  # noqa: S101
        process = self._process
        self._process = None
        if gently:
            self._ask_to_stop(process)
        with contextlib.suppress(ProcessLookupError):  # the group outlives its leader as long as the JVM does
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self._close_pipes(process)

    @staticmethod
    def _close_pipes(process: subprocess.Popen[bytes]) -> None:
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(BrokenPipeError):
                if pipe is not None:
                    pipe.close()

    @staticmethod
    def _ask_to_stop(process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None and process.stdout is not None  # noqa: S101
        try:
            process.stdin.write(b'{"do": "stop"}\n')
            process.stdin.flush()
        except BrokenPipeError:
            return
        until = time.monotonic() + GRACE_S
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while (left := until - time.monotonic()) > 0:
                if selector.select(timeout=left) and not os.read(process.stdout.fileno(), 65536):
                    return
