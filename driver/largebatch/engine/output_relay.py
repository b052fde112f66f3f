"""The output of a JVM that has a standard output of its own."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

PATIENCE_S = 30.0  # for a line to arrive from the JVM
END = "largebatch-end"


class OutputRelay:
    """Copies what a JVM prints to this process' standard output, through a named pipe in `folder`."""

    def __init__(self, jvm: Any, folder: Path) -> None:
        self._system = jvm.java.lang.System
        self._before = self._system.out
        self._drained = threading.Event()
        pipe = folder / "output"
        os.mkfifo(pipe)
        threading.Thread(target=self._copy, args=(pipe,), daemon=True).start()
        self._system.setOut(jvm.java.io.PrintStream(jvm.java.io.FileOutputStream(str(pipe)), True))

    def _copy(self, pipe: Path) -> None:
        with pipe.open("rb") as lines:
            for line in lines:
                if line.strip() == END.encode():
                    self._drained.set()
                else:
                    os.write(1, line)  # whole lines, so that they don't mix with this process' own

    def drain(self) -> None:
        """Return when all output printed so far was copied."""
        self._drained.clear()
        self._system.out.println(END)
        self._drained.wait(PATIENCE_S)

    def close(self) -> None:
        """Give the JVM its own output back."""
        self._system.setOut(self._before)
