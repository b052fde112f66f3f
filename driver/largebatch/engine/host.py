"""Which JVM a session runs in. The entry of the program chooses it once, and passes it on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from largebatch.engine.conf import Site
from largebatch.engine.jar import system_ds_jar
from largebatch.engine.java import find_java
from largebatch.errors import UserError
from largebatch.files.places import folder_of_sessions
from largebatch.settings.execution import Execution


@dataclass(frozen=True)
class Opening:
    """A session that starts: its settings, its files, and `request`, which is SessionProcess.request."""

    execution: Execution
    workers: int
    site: Site
    request: Callable[..., None]


class Host(ABC):
    """A kind of JVM for sessions: an own one, that of spark-submit, or that of a live SparkSession."""

    starts_jvm: ClassVar[bool]  # else the JVM already runs, with its own Java, memory and slots
    can_restart: ClassVar[bool]  # whether another session can follow one that failed
    refused: ClassVar[Mapping[str, str]] = {}  # options that have no effect here, with the reason
    kind: ClassVar[str] = ""  # for messages about them

    def check_options(self, given: Collection[str]) -> None:
        """Raises UserError for options, by their names in Execution and `sweep`, that this host refuses."""
        for name in given:
            if name in self.refused:
                raise UserError(f"--{name} can't be given {self.kind}: {self.refused[name]}")

    def require_tools(self) -> None:
        """Raises UserError if Java, SystemDS.jar or a folder for temporary files is missing or unfit."""
        if self.starts_jvm:
            find_java()
        system_ds_jar()
        folder_of_sessions()

    def occupied(self, execution: Execution, workers: int) -> AbstractContextManager[None]:
        """Whatever the host must check before a session's process starts, and put right after its end."""
        return nullcontext()

    def remarks(self, execution: Execution) -> list[str]:
        """Sentences about what a user has set without effect, and about what may be too little."""
        return []

    @abstractmethod
    def environment(self, execution: Execution) -> dict[str, str]:
        """The environment of the session's process."""

    @abstractmethod
    def programs(self, dml: Path) -> Path:
        """The folder from which the JVM runs the DML files of the folder `dml`."""

    @abstractmethod
    def start(self, opening: Opening) -> None:
        """Get SystemDS ready, with a slot for each worker. Raises RunError or UserError if that fails."""

    def heap_bytes(self, execution: Execution) -> int:
        """The heap of the driver's JVM, in bytes."""
        return execution.memory_bytes

    @abstractmethod
    def more_memory(self, execution: Execution) -> str:
        """How to give the driver's JVM more memory."""
