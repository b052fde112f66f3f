"""The cause of a failure in the JVM, in one line for the user."""

from __future__ import annotations

import re
import subprocess

from py4j.protocol import Py4JNetworkError

from largebatch.engine.causes import DIED, NOT_STARTED
from largebatch.engine.process import how_it_ended
from largebatch.errors import RunError

# Exit statuses of an executor: of its JVM, by -XX:+ExitOnOutOfMemoryError, and of Spark.
OUT_OF_MEMORY, OUT_OF_MEMORY_IN_TASK = 3, 52


def root_cause(error: BaseException, jvm: subprocess.Popen[bytes] | None = None) -> str:
    """The innermost message of an exception of the JVM, in one line; else the Python exception's own.

    `jvm` is the process of the JVM, if it is ours.
    """
    if isinstance(error, Py4JNetworkError | ConnectionError):
        return DIED + (how_it_ended(jvm) if jvm else "")
    if "[JAVA_GATEWAY_EXITED]" in str(error):
        return NOT_STARTED
    if isinstance(error, RunError):
        return str(error)
    cause = getattr(error, "java_exception", None)
    if cause is None:
        return f"{type(error).__name__}: {error}".splitlines()[0]
    while cause.getCause() is not None:
        cause = cause.getCause()
    name = cause.getClass().getSimpleName()
    message = cause.getMessage() or ""
    of_a_task = _cause_of_a_task(message)
    if of_a_task is not None:
        return of_a_task
    message = " ".join(re.split(r"\n\tat |\n+Driver stacktrace:", message)[0].split())
    return f"{name}: {message}" if message else name


def _cause_of_a_task(message: str) -> str | None:
    """The cause in Spark's message about an aborted job, which has the text of all stack traces."""
    lost = re.search(r"ExecutorLostFailure \(executor (\S+).*Reason: (.*)", message)
    if lost is None:
        causes = re.findall(r"^Caused by: (?:[\w$]+\.)*(.*)$", message, re.MULTILINE)
        return causes[-1] if causes else None
    if re.search(rf"code ({OUT_OF_MEMORY}|{OUT_OF_MEMORY_IN_TASK})\b", lost[2]):
        return "an executor ran out of memory: lower --micro-batch, or give executors more memory"
    return f"an executor was lost: {lost[1]}, {lost[2].strip()}"
