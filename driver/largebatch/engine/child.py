"""The process that holds the JVM: carries out requests, one JSON line each, from standard input.

The parent, engine.process, starts it as `python -m largebatch.engine.child SCRATCH` in that folder, where
the program's DML files are. It answers with lines on standard output that start with "largebatch ". All
other output is that of Spark and SystemDS. When standard input ends, the parent is gone. The child then kills
its whole process group, with the JVM, and removes the folder.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

from largebatch.engine.failures import root_cause
from largebatch.engine.systemds import SystemDS, answer, tell
from largebatch.engine.worker_failures import watched

Request = dict[str, Any]


def _serve(requests: queue.Queue[Request]) -> None:
    """Carry out requests until "stop"; answer each with "done" or "failed CAUSE"."""
    systemds = SystemDS()
    while (request := requests.get())["do"] != "stop":
        action: Callable[..., None] = getattr(systemds, request["do"])
        try:
            with watched(lambda cause: answer("failed", cause)):
                action(**request["with"])
            answer("done")
        except Exception as error:  # the parent decides what any error means
            tell(str(error))
            answer("failed", root_cause(error, systemds.jvm))
    systemds.close()


def _read_requests(requests: queue.Queue[Request]) -> None:
    for line in sys.stdin:
        requests.put(json.loads(line))
    # The JVM writes until its end, so a process outside the group removes the folder afterwards.
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
    """Carry out requests from standard input."""
    requests: queue.Queue[Request] = queue.Queue()
    threading.Thread(target=_read_requests, args=(requests,), daemon=True).start()
    _serve(requests)
    os.killpg(0, signal.SIGKILL)  # the JVM has nothing left to do, and may take long to end by itself


if __name__ == "__main__":
    main()
