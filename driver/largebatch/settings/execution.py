"""How a run is carried out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from largebatch.settings.ranges import Choice, Real
from largebatch.settings.spark import parse
from largebatch.settings.values import NotPassed, Settings, setting

MODES = {"spark": "REMOTE_SPARK", "local": "LOCAL"}
SMALLEST_HEAP = 512 * 2**20
LONGEST_TIMEOUT_S = 7 * 24 * 3600  # waiting for input takes milliseconds in 32 bits, 24 days
_MEMORY = re.compile(r"([1-9][0-9]{0,8})([mg])")
_TIMEOUT = Real(above=0, high=LONGEST_TIMEOUT_S, unit="seconds")
_JVM = NotPassed("it concerns the JVM around the program")
_SHARE = Real(above=0, high=1)


def _bytes(memory: str) -> int:
    return int(memory[:-1]) * (2**30 if memory[-1] == "g" else 2**20)


def _memory(value: str) -> str | None:
    if not _MEMORY.fullmatch(value):
        return f"{value!r} must be a number with m or g, such as 6g"
    return None if _bytes(value) >= SMALLEST_HEAP else f"{value} is too little; at least 512m"


def accuracies(values: tuple[float, ...]) -> str | None:
    """What is wrong with values that are not all accuracies; None if nothing is."""
    return next((complaint for value in values if (complaint := _SHARE(value))), None)


@dataclass(frozen=True)
class Execution(Settings):
    """How a run is carried out. Nothing here changes what is computed.

    memory is the heap of the driver's JVM. conf are settings of Spark as KEY=VALUE, of which later ones win.
    """

    mode: str = setting(
        "spark",
        "where the workers run: spark (tasks on executors) or local (threads)",
        Choice(tuple(MODES)),
        dml=lambda value: {"mode": MODES[value]},
    )
    master: str | None = setting(None, "Spark master (default: local[WORKERS])", dml=_JVM)
    memory: str = setting("6g", "heap of the driver's JVM", _memory, dml=_JVM)
    native_blas: bool = setting(True, "use OpenBLAS if it is found", dml=_JVM)
    stall_timeout: float = setting(
        600.0, "seconds without progress after which a run is stopped", _TIMEOUT, dml=_JVM
    )
    conf: tuple[str, ...] = setting(
        (),
        "a setting of Spark such as spark.executor.memory=2g; may be given several times (default: none)",
        dml=_JVM,
    )
    secure: bool = setting(
        False, "authenticate and encrypt Spark's connections, see docs/clusters.md", dml=_JVM
    )
    cluster_timeout: float = setting(
        300.0, "seconds within which a cluster must have slots for all workers", _TIMEOUT, dml=_JVM
    )

    target_accuracy: tuple[float, ...] = setting(
        (),
        "accuracies such as 0.97,0.98: the result tells when each was first reached, on the validation part "
        "or else the test part (default: none)",
        accuracies,
        dml=NotPassed("it is read off the accuracies of the run"),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "conf", tuple(f"{k}={v}" for k, v in parse(self.conf).items()))

    def updated(self, values: Mapping[str, Any]) -> Self:
        """These settings with some others in their place; to conf they are added. Raises UserError."""
        conf = (*self.conf, *values.get("conf", ()))
        return type(self).from_mapping({**self.to_mapping(), **values, "conf": conf})

    @property
    def memory_bytes(self) -> int:
        """Heap of the driver's JVM, in bytes."""
        return _bytes(self.memory)
