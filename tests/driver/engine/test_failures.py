"""The cause of a failure in the JVM, in one line. All else is tested in real sessions."""

from __future__ import annotations

import pytest

from largebatch.engine.failures import root_cause

TASK = "Job aborted due to stage failure: Task 2 in stage 11.0 failed 1 times, most recent failure: Lost task"
LOST = f"{TASK} 2.0 (TID 46) (127.0.0.1 executor 2): ExecutorLostFailure (executor 2 exited caused by one of "
AT = "\n\tat a.B.c(B.java:1)\n"
STACK = (
    f"{TASK} 2.0 (TID 46): org.apache.sysds.runtime.DMLRuntimeException: Spark worker_2 failed{AT}"
    "Caused by: org.apache.sysds.runtime.DMLRuntimeException: SparkPSProxy failed to push gradients. \n"
    f"org.apache.sysds.runtime.DMLRuntimeException: Aggregation or validation service failed: {AT}"
    f"Caused by: org.apache.sysds.runtime.DMLScriptException: a fault on purpose{AT}\t... 21 more\n"
    "\nDriver stacktrace:"
)


class Thrown:
    """An exception of the JVM, as py4j shows it."""

    def __init__(self, message: str | None, cause: Thrown | None = None) -> None:
        self._message, self._cause = message, cause

    def getCause(self) -> Thrown | None:  # noqa: N802
        return self._cause

    def getMessage(self) -> str | None:  # noqa: N802
        return self._message

    def getClass(self) -> Thrown:  # noqa: N802
        return self

    def getSimpleName(self) -> str:  # noqa: N802
        return "SparkException"


class JavaError(Exception):
    def __init__(self, message: str | None) -> None:
        self.java_exception = Thrown("wrapped", Thrown(message))


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (None, "SparkException"),
        ("not  so\n well", "SparkException: not so well"),
        (STACK, "DMLScriptException: a fault on purpose"),
        (
            f"{TASK}: java.io.IOException: no{AT}\nDriver stacktrace:",
            f"SparkException: {TASK}: java.io.IOException: no",
        ),
        (
            f"{LOST}the running tasks) Reason: Command exited with code 137\nDriver stacktrace:",
            "an executor was lost: 2, Command exited with code 137",
        ),
        *(
            (
                f"{LOST}the running tasks) Reason: Command exited with code {status}\nDriver stacktrace:",
                "an executor ran out of memory: lower --micro-batch, or give executors more memory",
            )
            for status in (3, 52)
        ),
    ],
)
def test_the_cause_is_one_line(message: str | None, told: str) -> None:
    assert root_cause(JavaError(message)) == told
