"""What is trained: the settings on which a run's result depends."""

from __future__ import annotations

from dataclasses import dataclass

from largebatch.data import SOURCES
from largebatch.files.names import NAME
from largebatch.settings.networks import NetworkSettings
from largebatch.settings.optimizers import OptimizerSettings
from largebatch.settings.protocols import ProtocolSettings
from largebatch.settings.ranges import LARGEST, Choice, Text, Whole
from largebatch.settings.schedules import ScheduleSettings
from largebatch.settings.values import NotPassed, Settings, check, setting

INITIALIZATIONS = (
    "he_normal", "he_uniform", "glorot_normal", "glorot_uniform", "lecun_normal", "uniform_fan_in",
)  # fmt: skip


@dataclass(frozen=True)
class DataSettings(Settings):
    """The choice of a data set. A run's folder may name one that this version does not know."""

    dataset: str = setting(
        "mnist",
        "data set",
        Text(NAME, "letters, digits, '.', '_' and '-', 64 at most", tuple(SOURCES)),
        dml=NotPassed("it gets the matrices"),
    )
    validation_rows: int = setting(
        0,
        "rows cut off the training rows for validation, the same in all runs, stratified by class",
        Whole(low=0),
        dml=NotPassed("it gets the matrices"),
    )
    train_rows: int = setting(
        0,
        "training rows to take, the same in all runs, stratified by class; 0: all",
        Whole(low=0),
        dml=NotPassed("it gets the matrices"),
    )

    @property
    def data(self) -> tuple[str, int, int]:
        """All that tells the data of a run from those of others."""
        return self.dataset, self.validation_rows, self.train_rows


@dataclass(frozen=True)
class Training(ProtocolSettings, ScheduleSettings, OptimizerSettings, NetworkSettings, DataSettings):
    """What is trained. Equal settings give equal results; defaults are Table 1 of the paper.

    The fields are those of the families, the last one first, and those below. batch_size is the global batch:
    each of `workers` takes batch_size / workers rows.
    """

    batch_size: int = setting(1024, "rows of the global batch, a multiple of --workers", Whole(low=1))
    epochs: int = setting(10, "passes over the training rows", Whole(low=1))
    workers: int = setting(4, "parallel batches: workers of the parameter server", Whole(low=1))
    initialization: str = setting(
        "he_normal",
        "start values of the weights; those of biases are 0, but for uniform_fan_in",
        Choice(INITIALIZATIONS),
    )
    deterministic: bool = setting(True, "equal runs are equal to the last bit")
    seed: int = setting(1, "seed of start values and permutations", Whole(0, LARGEST))

    def __post_init__(self) -> None:
        super().__post_init__()
        check(
            self.warmup_epochs <= self.epochs,
            f"--warmup-epochs {self.warmup_epochs:g} is more than --epochs {self.epochs}",
        )
        self._check_batch()

    def _check_batch(self) -> None:
        """batch_size must be a multiple of workers, so that every update sees equally many rows of each."""
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
