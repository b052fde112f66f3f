"""What is trained: the settings on which a run's result depends."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from largebatch.data import SOURCES
from largebatch.data.dataset import Reading
from largebatch.data.paths import is_path, short_name
from largebatch.files.names import NAME
from largebatch.settings.networks import NETWORKS, NetworkSettings
from largebatch.settings.optimizers import OptimizerSettings
from largebatch.settings.placements import PlacementSettings
from largebatch.settings.protocols import PROTOCOLS, ProtocolSettings
from largebatch.settings.ranges import LARGEST, Choice, Real, Text, Whole
from largebatch.settings.schedules import ScheduleSettings
from largebatch.settings.values import NotPassed, Settings, check, setting

AUGMENTATIONS = ("none", "standard")
INITIALIZATIONS = (
    "he_normal", "he_uniform", "glorot_normal", "glorot_uniform", "lecun_normal", "uniform_fan_in",
)  # fmt: skip


LONGEST_PATH = 1000
_NAMED = Text(NAME, "letters, digits, '.', '_' and '-', 64 at most; or a path, with a slash in it")
_SIDES = re.compile(r"[1-9][0-9]{0,3}(x[1-9][0-9]{0,3})?")
_SHAPE = re.compile(r"[1-9][0-9]{0,3}(x[1-9][0-9]{0,3}){1,2}")
_MATRICES = NotPassed("it gets the matrices")


def _name_or_path(value: str) -> str | None:
    if not is_path(value):
        return _NAMED(value)
    if len(value) <= LONGEST_PATH and value.isprintable():
        return None
    return f"{value[:80]!r} must be a path of at most {LONGEST_PATH} printable characters"


@dataclass(frozen=True)
class DataSettings(Settings):
    """The choice of a data set. A run's folder may name one that this version does not know."""

    dataset: str = setting(
        "mnist",
        f"data set: {', '.join(SOURCES)}, or the path of a file or folder",
        _name_or_path,
        dml=_MATRICES,
    )
    validation_rows: int = setting(
        0,
        "rows cut off the training rows for validation, the same in all runs, stratified by class",
        Whole(low=0),
        dml=_MATRICES,
    )
    train_rows: int = setting(
        0,
        "training rows to take, the same in all runs, stratified by class; 0: all",
        Whole(low=0),
        dml=_MATRICES,
    )

    test_part: bool = setting(
        True, "use the test part; without it a run never sees it, as when settings are chosen", dml=_MATRICES
    )
    resize: str | None = setting(
        None,
        "size that pictures in files of your own get, as 32 or 24x32, height first (default: as they are)",
        Text(_SIDES, "one or two whole numbers of pixels, such as 32 or 24x32"),
        dml=_MATRICES,
    )
    grey: bool = setting(False, "make pictures in files of your own grey", dml=_MATRICES)
    image_shape: str | None = setting(
        None,
        "shape of images that files of your own hold as flat rows, as 28x28 or 3x32x32, channels first "
        "(default: none, they are features)",
        Text(_SHAPE, "two or three whole numbers, such as 28x28 or 3x32x32"),
        dml=_MATRICES,
    )

    def __post_init__(self) -> None:
        if isinstance(self.dataset, str) and is_path(self.dataset):  # so that a run can go on from elsewhere
            object.__setattr__(self, "dataset", str(Path(self.dataset).absolute()))
        super().__post_init__()

    @property
    def reading(self) -> Reading:
        """How files of the user's own are read."""
        sides, shape = _numbers(self.resize), _numbers(self.image_shape)
        return Reading(
            resize=(sides[0], sides[-1]) if sides else None,
            grey=self.grey,
            shape=(shape[0] if len(shape) == 3 else 1, shape[-2], shape[-1]) if shape else None,
        )

    @property
    def source(self) -> str:
        """The data set, and how it is read: equal for equal data."""
        return self.dataset if self.reading == Reading() else f"{self.dataset} {self.reading}"

    @property
    def data(self) -> tuple[str, int, int, bool]:
        """All that tells the data of a run from those of others."""
        return self.source, self.validation_rows, self.train_rows, self.test_part


def _numbers(text: str | None) -> list[int]:
    return [int(number) for number in text.split("x")] if text else []


@dataclass(frozen=True)
class Training(
    ProtocolSettings, ScheduleSettings, OptimizerSettings, NetworkSettings, PlacementSettings, DataSettings
):
    """What is trained. Equal settings give equal results; defaults are Table 1 of the paper.

    The fields are those of the families, the last one first, and those below. batch_size is the global batch:
    each of `workers` takes batch_size / workers rows. batch_size_per_worker is another way to give
    it, and None once the settings are made.
    """

    batch_size: int = setting(1024, "rows of the global batch, a multiple of --workers", Whole(low=1))
    batch_size_per_worker: int | None = setting(
        None,
        "rows that each worker takes, in place of --batch-size (default: --batch-size / --workers)",
        Whole(low=1),
        dml=NotPassed("batch_size tells it"),
    )
    epochs: int = setting(10, "passes over the training rows", Whole(low=1))
    workers: int = setting(4, "parallel batches: workers of the parameter server", Whole(low=1))
    initialization: str = setting(
        "he_normal",
        "start values of the weights; those of biases are 0, but for uniform_fan_in",
        Choice(INITIALIZATIONS),
    )
    augment: str = setting(
        "none",
        "training images anew in each epoch: as they are (none), or random crops of them with 4 zeros on "
        "every side, half of them mirrored (standard)",
        Choice(AUGMENTATIONS),
    )
    label_smoothing: float = setting(
        0.0,
        "share of each label that training spreads evenly over all classes",
        Real(low=0, below=1),
    )
    deterministic: bool = setting(True, "equal runs are equal to the last bit")
    evaluate_every: int = setting(
        0,
        "updates after which the validation part, or else the test part, is evaluated; 0: after epochs only",
        Whole(low=0),
    )
    evaluate_train_rows: int = setting(
        0,
        "training rows whose loss and accuracy are measured after each epoch; 0: all",
        Whole(low=0),
    )
    seed: int = setting(1, "seed of start values, permutations and augmentation", Whole(0, LARGEST))

    def __post_init__(self) -> None:
        self._settle_biases()
        super().__post_init__()
        check(
            self.warmup_epochs <= self.epochs,
            f"--warmup-epochs {self.warmup_epochs:g} is more than --epochs {self.epochs}",
        )
        self._settle_batch()
        self._check_batch()
        self.check_workers(self.workers)

    @classmethod
    def check_together(cls, values: Mapping[str, Any]) -> None:
        per_worker = values.get("batch_size_per_worker") is not None
        check(
            not (per_worker and "batch_size" in values),
            "--batch-size-per-worker is another way to give --batch-size: leave out one of them",
        )

    @classmethod
    def from_given(cls, values: Mapping[str, Any]) -> Self:
        made = super().from_given(values)
        check(
            made.reproducible or not values.get("deterministic"),
            f"--deterministic is impossible with --protocol {made.protocol}: its updates depend on timing",
        )
        return made

    def _settle_biases(self) -> None:
        """Replace None by what is usual for the network."""
        for name in ("adapt_biases", "decay_biases"):
            if getattr(self, name) is None and self.network in NETWORKS:
                object.__setattr__(self, name, NETWORKS[self.network].adapts_biases)

    def _settle_batch(self) -> None:
        """Replace batch_size_per_worker by the batch_size that it stands for."""
        if self.batch_size_per_worker is not None:
            object.__setattr__(self, "batch_size", self.batch_size_per_worker * self.workers)
            object.__setattr__(self, "batch_size_per_worker", None)

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
    def reproducible(self) -> bool:
        """Whether equal runs are equal to the last bit."""
        return self.deterministic and PROTOCOLS[self.protocol].reproducible

    @property
    def name(self) -> str:
        """A short name for the run's folder."""
        dataset = short_name(Path(self.dataset)) if is_path(self.dataset) else self.dataset
        return f"{dataset}-{self.network}-{self.optimizer}-b{self.batch_size}-e{self.epochs}-s{self.seed}"
