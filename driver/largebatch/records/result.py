"""Results of runs (result.json) and of their epochs (a row of metrics.csv)."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self


class Status(StrEnum):
    """The state of a run when its job ends; the values stand in result.json."""

    FINISHED = "finished"  # all epochs are done
    DIVERGED = "diverged"  # loss or weights are beyond all use
    FAILED = "failed"  # the result has the reason
    PAUSED = "paused"  # the job reached its last epoch before the run's; another job can go on

    @property
    def ended(self) -> bool:
        """Whether there is nothing left to train."""
        return self in (Status.FINISHED, Status.DIVERGED)


@dataclass(frozen=True)
class Result:
    """The result of a run. `dataset` is the data set's title; `folder` is None for a run that keeps none.

    `seconds` counts training and evaluation over all epochs. Accuracies are None if the run diverged or
    failed, or if the data set lacks the part.
    """

    dataset: str
    network: str
    optimizer: str
    batch_size: int
    epochs: int
    updates: int
    train_accuracy: float | None
    test_accuracy: float | None
    generalization_error: float | None
    seconds: float
    status: Status
    seed: int
    folder: str | None
    reason: str | None = None  # of a failure
    validation_accuracy: float | None = None
    reproducible: bool | None = None  # False if equal runs may differ
    targets: list[dict[str, Any]] | None = None  # Reached, of records.targets, for each target accuracy
    overhead_seconds: float | None = None  # of the last job beside its epochs; None if it trained nothing

    @classmethod
    def from_mapping(cls, values: Any) -> Self:
        """A result from the object in a JSON file; unknown names are left out.

        Raises ValueError for other values; its text continues a sentence that begins with the file's name.
        """
        if not isinstance(values, dict):
            raise ValueError(f"has a {type(values).__name__} where an object must be")
        hints = typing.get_type_hints(cls)
        known = {name: _typed(name, values.get(name), hint) for name, hint in hints.items()}
        return cls(**known)

    def to_mapping(self) -> dict[str, Any]:
        """The result as JSON can hold it, without what is None and belongs to some runs only."""
        values = dataclasses.asdict(self) | {"status": self.status.value}
        optional = ("reason", "validation_accuracy", "reproducible", "targets", "overhead_seconds")
        return {k: v for k, v in values.items() if v is not None or k not in optional}


def _typed(name: str, value: Any, hint: Any) -> Any:
    """A value read from a file. Raises ValueError if its type is not the field's."""
    if hint is Status and isinstance(value, str):
        if value not in set(Status):
            raise ValueError(f"has the unknown status {value!r}")
        return Status(value)
    if isinstance(value, int) and float in (hint, *typing.get_args(hint)):
        return float(value)
    kinds = tuple(typing.get_origin(kind) or kind for kind in typing.get_args(hint) or (hint,))
    if not isinstance(value, kinds):
        raise ValueError(f"lacks {name}, or has it with a value of another kind")
    return value


@dataclass(frozen=True)
class EpochRow:
    """A row of metrics.csv. `more` has the protocol's own columns, and norms and ratios of each group.

    Losses and accuracies are None for parts that the data set lacks.
    """

    epoch: int
    updates: int
    examples: int
    learning_rate: float
    train_loss: float
    train_accuracy: float
    seconds: float
    images_per_second: float
    evaluation_seconds: float
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    test_loss: float | None = None
    test_accuracy: float | None = None
    more: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def from_mapping(cls, row: Mapping[Hashable, Any]) -> Self:
        """A row from its columns by name; counts may be floats."""
        kinds = typing.get_type_hints(cls)
        values: dict[str, Any] = {"more": {}}
        for name, value in row.items():
            if name in kinds:
                values[str(name)] = int(value) if kinds[str(name)] is int else float(value)
            else:
                values["more"][str(name)] = float(value)
        return cls(**values)

    @property
    def diverged(self) -> bool:
        """Whether nothing can come of the weights any more: the loss is no number, or beyond all bounds."""
        return not self.train_loss < 1e300

    def to_mapping(self) -> dict[str, float]:
        """The columns by name, without those that are None."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "more"}
        return {name: value for name, value in values.items() if value is not None} | dict(self.more)
