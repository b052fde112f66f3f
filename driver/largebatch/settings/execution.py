"""How a run is carried out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from largebatch.settings.spark import parse
from largebatch.settings.values import Settings, check, check_choice, flag

MODES = {"spark": "REMOTE_SPARK", "local": "LOCAL"}
LONGEST_TIMEOUT_S = 7 * 24 * 3600  # waiting for input takes milliseconds in 32 bits, 24 days


@dataclass(frozen=True)
class Execution(Settings):
    """How a run is carried out. None of it changes what is computed.

    memory is the heap of the driver's JVM, stall_timeout seconds without a sign of life. conf are settings
    of Spark as KEY=VALUE, of which later ones win. cluster_timeout are seconds until a cluster has to have
    slots for all workers.
    """

    mode: str = "spark"
    master: str | None = None
    memory: str = "6g"
    native_blas: bool = True
    stall_timeout: float = 600.0
    conf: tuple[str, ...] = ()
    secure: bool = False
    cluster_timeout: float = 300.0

    def __post_init__(self) -> None:
        check_choice("mode", self.mode, MODES)
        object.__setattr__(self, "conf", tuple(f"{k}={v}" for k, v in parse(self.conf).items()))
        check(
            re.fullmatch(r"[1-9][0-9]{0,8}[mg]", self.memory) is not None,
            f"--memory {self.memory!r} has to be a number with m or g, such as 6g",
        )
        check(self.memory_bytes >= 512 * 2**20, f"--memory {self.memory} is too little; at least 512m")
        for name in ("stall_timeout", "cluster_timeout"):
            seconds = getattr(self, name)
            check(
                0 < seconds <= LONGEST_TIMEOUT_S,
                f"{flag(name)} {seconds} has to be above 0 and at most {LONGEST_TIMEOUT_S} seconds",
            )

    def updated(self, values: Mapping[str, Any]) -> Self:
        """These settings with some others in their place; to conf they are added. Raises UserError."""
        conf = (*self.conf, *values.get("conf", ()))
        return type(self).from_mapping({**self.to_mapping(), **values, "conf": conf})

    @property
    def memory_bytes(self) -> int:
        """Heap of the driver's JVM, in bytes."""
        return int(self.memory[:-1]) * (2**30 if self.memory[-1] == "g" else 2**20)
