"""The settings of a run: what is trained (Training) and how it is run (Execution)."""

from __future__ import annotations

import re
import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from largebatch.errors import UserError
from largebatch.settings.registry import MODES, NETWORKS, OPTIMIZERS, PADDINGS, SCHEDULES, SCOPES
from largebatch.settings.spark import parse

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # of what becomes a part of paths
LONGEST_TIMEOUT_S = 7 * 24 * 3600  # waiting for input takes milliseconds in 32 bits, 24 days


def _check(holds: bool, sentence: str) -> None:
    if not holds:
        raise UserError(sentence)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _check_choice(name: str, value: str, choices: typing.Iterable[str]) -> None:
    _check(value in choices, f"{_flag(name)} {value!r} is unknown; choose one of {', '.join(choices)}")


def _accepts(value: Any, annotation: Any) -> bool:
    """Whether a value read from a file has the type that a field is declared with."""
    if isinstance(annotation, types.UnionType):
        return any(_accepts(value, option) for option in typing.get_args(annotation))
    if typing.get_origin(annotation) is tuple:
        return isinstance(value, tuple) and all(_accepts(v, typing.get_args(annotation)[0]) for v in value)
    if annotation in (int, float):
        allowed = (int, float) if annotation is float else (int,)
        return isinstance(value, allowed) and not isinstance(value, bool)
    return isinstance(value, annotation)


class _Settings:
    """Reading from and writing to plain mappings, for the configuration file."""

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """Settings from a mapping; raises UserError for names that don't exist and values of another type."""
        _check(isinstance(values, Mapping), "settings have to be an object, or a table, of names and values")
        hints = typing.get_type_hints(cls)
        unknown = sorted(set(values) - set(hints))
        _check(not unknown, f"unknown setting {', '.join(unknown)}; there are {', '.join(hints)}")
        plain = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        for name, value in plain.items():
            wanted = str(getattr(hints[name], "__name__", hints[name]))
            _check(_accepts(value, hints[name]), f"{name} = {value!r} is not of type {wanted}")
        return cls(**plain)

    def to_mapping(self) -> dict[str, Any]:
        """The settings as a mapping that JSON can hold."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}


@dataclass(frozen=True)
class Training(_Settings):
    """What is trained. Equal settings give equal results; defaults are Table 1 of the paper.

    batch_size is the global batch: each of `workers` takes batch_size / workers rows. A learning rate
    of None means the optimizer's default (registry.OPTIMIZERS).
    """

    dataset: str = "mnist"
    network: str = "lenet"
    padding: str = "same"
    optimizer: str = "lars"
    batch_size: int = 1024
    epochs: int = 10
    workers: int = 4
    learning_rate: float | None = None
    momentum: float = 0.9
    weight_decay: float = 0.0001
    trust_coefficient: float = 0.001
    scope: str = "layer"
    adapt_biases: bool = True
    schedule: str = "inverse_time"
    decay: float = 0.0001
    power: float = 2.0
    end_learning_rate: float = 0.0
    factor: float = 0.1
    milestones: tuple[float, ...] = (0.5, 0.75)
    warmup_epochs: float = 0.0
    micro_batch: int = 512
    deterministic: bool = True
    seed: int = 1

    def __post_init__(self) -> None:
        if self.learning_rate is None and self.optimizer in OPTIMIZERS:
            object.__setattr__(self, "learning_rate", OPTIMIZERS[self.optimizer])
        self._check_names()
        self._check_numbers()
        self._check_batch()

    def _check_names(self) -> None:
        _check(
            NAME.fullmatch(self.dataset) is not None,
            f"--dataset {self.dataset!r} has to be letters, digits, '.', '_' and '-', 64 at most",
        )
        _check_choice("network", self.network, NETWORKS)
        _check_choice("optimizer", self.optimizer, OPTIMIZERS)
        _check_choice("padding", self.padding, PADDINGS)
        _check_choice("scope", self.scope, SCOPES)
        _check_choice("schedule", self.schedule, SCHEDULES)

    def _check_numbers(self) -> None:
        for name in ("batch_size", "epochs", "workers", "micro_batch"):
            value = getattr(self, name)
            _check(value >= 1, f"{_flag(name)} {value} has to be at least 1")
            _check(value < 2**31, f"{_flag(name)} {value} has to be at most 2147483647")
        _check(0 <= self.seed < 2**31, f"--seed {self.seed} has to be from 0 to 2147483647")
        for name in (
            "learning_rate", "weight_decay", "trust_coefficient", "decay", "power",
            "end_learning_rate", "factor", "warmup_epochs",
        ):  # fmt: skip
            value = getattr(self, name)
            _check(0 <= value <= sys.float_info.max, f"{_flag(name)} {value} has to be finite, 0 or more")
        _check(0 <= self.momentum < 1, f"--momentum {self.momentum} has to be at least 0 and below 1")
        _check(
            self.warmup_epochs <= self.epochs,
            f"--warmup-epochs {self.warmup_epochs:g} is more than --epochs {self.epochs}",
        )
        in_order = all(a < b for a, b in zip(self.milestones, self.milestones[1:], strict=False))
        _check(
            bool(self.milestones) and in_order and all(0 < m < 1 for m in self.milestones),
            "--milestones have to be fractions between 0 and 1 in rising order, such as 0.5,0.75",
        )

    def _check_batch(self) -> None:
        """batch_size has to be a multiple of workers, so that every update sees equally many rows of each."""
        k, rest = self.workers, self.batch_size % self.workers
        below, above = self.batch_size - rest, self.batch_size - rest + k
        nearest = f"{below} or {above}" if below else f"{above}"
        _check(
            rest == 0,
            f"--batch-size {self.batch_size} is not a multiple of --workers {k}; the nearest are {nearest}",
        )

    @property
    def name(self) -> str:
        """A short name for the run's folder."""
        return (
            f"{self.dataset}-{self.network}-{self.optimizer}-b{self.batch_size}-e{self.epochs}-s{self.seed}"
        )


@dataclass(frozen=True)
class Execution(_Settings):
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
        _check_choice("mode", self.mode, MODES)
        object.__setattr__(self, "conf", tuple(f"{k}={v}" for k, v in parse(self.conf).items()))
        _check(
            re.fullmatch(r"[1-9][0-9]{0,8}[mg]", self.memory) is not None,
            f"--memory {self.memory!r} has to be a number with m or g, such as 6g",
        )
        _check(self.memory_bytes >= 512 * 2**20, f"--memory {self.memory} is too little; at least 512m")
        for name in ("stall_timeout", "cluster_timeout"):
            seconds = getattr(self, name)
            _check(
                0 < seconds <= LONGEST_TIMEOUT_S,
                f"{_flag(name)} {seconds} has to be above 0 and at most {LONGEST_TIMEOUT_S} seconds",
            )

    def updated(self, values: Mapping[str, Any]) -> Self:
        """These settings with some others in their place; to conf they are added. Raises UserError."""
        conf = (*self.conf, *values.get("conf", ()))
        return type(self).from_mapping({**self.to_mapping(), **values, "conf": conf})

    @property
    def memory_bytes(self) -> int:
        """Heap of the driver's JVM, in bytes."""
        return int(self.memory[:-1]) * (2**30 if self.memory[-1] == "g" else 2**20)
