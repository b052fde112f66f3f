"""What a run reports: its result, as in result.json, and its epochs, as in metrics.csv."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self


class Status(StrEnum):
    """How a run stands when its job ends; the values are those of result.json."""

    FINISHED = "finished"  # all epochs are done
    DIVERGED = "diverged"  # loss or weights are beyond all use
    FAILED = "failed"  # the result has the reason
    PAUSED = "paused"  # the job went as far as it was to go; another one can go on

    @property
    def ended(self) -> bool:
        """Whether there is nothing left to train."""
        return self in (Status.FINISHED, Status.DIVERGED)


@dataclass(frozen=True)
class Result:
    """The result of a run. `dataset` is the data set's title; `folder` is None for a run that keeps none.

    `seconds` are those of training and evaluation over all epochs. Accuracies are None for runs that
    diverged or failed, and for parts that the data set lacks.
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

    @classmethod
    def from_mapping(cls, values: Any) -> Self:
        """A result from the object of a JSON file; names that are unknown here are left out.

        Raises ValueError, whose text goes on after the file's name, for what is no result.
        """
        if not isinstance(values, dict):
            raise ValueError(f"has a {type(values).__name__} where an object must be")
        hints = typing.get_type_hints(cls)
        known = {name: _typed(name, values.get(name), hint) for name, hint in hints.items()}
        return cls(**known)

    def to_mapping(self) -> dict[str, Any]:
        """The result as JSON can hold it; what only some runs have is left out of the others."""
        values = dataclasses.asdict(self) | {"status": self.status.value}
        optional = ("reason", "validation_accuracy")
        return {k: v for k, v in values.items() if v is not None or k not in optional}


def _typed(name: str, value: Any, hint: Any) -> Any:
    """A value read from a file. Raises ValueError if it is not of the kind that a field is declared with."""
    if hint is Status and isinstance(value, str):
        if value not in set(Status):
            raise ValueError(f"has the unknown status {value!r}")
        return Status(value)
    if isinstance(value, int) and float in (hint, *typing.get_args(hint)):
        return float(value)
    if not isinstance(value, hint):
        raise ValueError(f"lacks {name}, or has it with a value of another kind")
    return value


@dataclass(frozen=True)
class EpochRow:
    """A row of metrics.csv. `more` are a protocol's own columns, and the norms and ratios of each group.

    Losses and accuracies of parts that the data set lacks are None.
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
        """A row by the names of its columns; numbers of things may be given as float."""
        kinds = typing.get_type_hints(cls)
        values: dict[str, Any] = {"more": {}}
        for name, value in row.items():
            if name in kinds:
                values[str(name)] = int(value) if kinds[str(name)] is int else float(value)
            else:
                values["more"][str(name)] = float(value)
        return cls(**values)

    def to_mapping(self) -> dict[str, float]:
        """The values that there are, by the names of their columns."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "more"}
        return {name: value for name, value in values.items() if value is not None} | dict(self.more)
