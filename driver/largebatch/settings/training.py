"""What is trained: the settings on which a run's result depends."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from largebatch.files.names import NAME
from largebatch.settings.networks import NETWORKS, PADDINGS
from largebatch.settings.optimizers import OPTIMIZERS, SCOPES
from largebatch.settings.schedules import SCHEDULES
from largebatch.settings.values import Settings, check, check_choice, flag


@dataclass(frozen=True)
class Training(Settings):
    """What is trained. Equal settings give equal results; defaults are Table 1 of the paper.

    batch_size is the global batch: each of `workers` takes batch_size / workers rows. A learning rate
    of None means the optimizer's default (OPTIMIZERS).
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
        check(
            NAME.fullmatch(self.dataset) is not None,
            f"--dataset {self.dataset!r} has to be letters, digits, '.', '_' and '-', 64 at most",
        )
        check_choice("network", self.network, NETWORKS)
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        check_choice("padding", self.padding, PADDINGS)
        check_choice("scope", self.scope, SCOPES)
        check_choice("schedule", self.schedule, SCHEDULES)

    def _check_numbers(self) -> None:
        for name in ("batch_size", "epochs", "workers", "micro_batch"):
            value = getattr(self, name)
            check(value >= 1, f"{flag(name)} {value} has to be at least 1")
            check(value < 2**31, f"{flag(name)} {value} has to be at most 2147483647")
        check(0 <= self.seed < 2**31, f"--seed {self.seed} has to be from 0 to 2147483647")
        for name in (
            "learning_rate", "weight_decay", "trust_coefficient", "decay", "power",
            "end_learning_rate", "factor", "warmup_epochs",
        ):  # fmt: skip
            value = getattr(self, name)
            check(0 <= value <= sys.float_info.max, f"{flag(name)} {value} has to be finite, 0 or more")
        check(0 <= self.momentum < 1, f"--momentum {self.momentum} has to be at least 0 and below 1")
        check(
            self.warmup_epochs <= self.epochs,
            f"--warmup-epochs {self.warmup_epochs:g} is more than --epochs {self.epochs}",
        )
        in_order = all(a < b for a, b in zip(self.milestones, self.milestones[1:], strict=False))
        check(
            bool(self.milestones) and in_order and all(0 < m < 1 for m in self.milestones),
            "--milestones have to be fractions between 0 and 1 in rising order, such as 0.5,0.75",
        )

    def _check_batch(self) -> None:
        """batch_size has to be a multiple of workers, so that every update sees equally many rows of each."""
        k, rest = self.workers, self.batch_size % self.workers
        below, above = self.batch_size - rest, self.batch_size - rest + k
        nearest = f"{below} or {above}" if below else f"{above}"
        check(
            rest == 0,
            f"--batch-size {self.batch_size} is not a multiple of --workers {k}; the nearest are {nearest}",
        )

    @property
    def name(self) -> str:
        """A short name for the run's folder."""
        return (
            f"{self.dataset}-{self.network}-{self.optimizer}-b{self.batch_size}-e{self.epochs}-s{self.seed}"
        )
