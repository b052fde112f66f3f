"""When a run first reached an accuracy: updates, epochs and seconds of training until then."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from largebatch.records.evaluations import EVALUATED


@dataclass(frozen=True)
class Reached:
    """The first time that the accuracy on a part of the data was at least `accuracy`; None if it never was.

    Seconds are those of training, without evaluations.
    """

    accuracy: float
    part: str
    updates: int | None = None
    epoch: float | None = None
    seconds: float | None = None

    def to_mapping(self) -> dict[str, Any]:
        """The values by name."""
        return asdict(self)


def evaluated_part(metrics: pd.DataFrame) -> str:
    """The part of the data that targets are about: validation, or else test; empty if a run has neither."""
    return next((part for part in EVALUATED if f"{part}_accuracy" in metrics), "")


def curve(metrics: pd.DataFrame, evaluations: pd.DataFrame) -> pd.DataFrame:
    """Updates, epoch, seconds and accuracy of all evaluations of a run, in order: after epochs and within."""
    part = evaluated_part(metrics)
    if not part:
        return pd.DataFrame({name: [] for name in ("updates", "epoch", "seconds", "accuracy")})
    ends = pd.DataFrame(
        {
            "updates": metrics["updates"],
            "epoch": metrics["epoch"].astype(float),
            "seconds": metrics["seconds"].cumsum(),
            "accuracy": metrics[f"{part}_accuracy"],
        }
    )
    within = evaluations.loc[evaluations["part"] == part, list(ends)]
    both = ends if within.empty else pd.concat([ends, within])
    return both.drop_duplicates("updates").sort_values("updates", ignore_index=True)


def reached(metrics: pd.DataFrame, evaluations: pd.DataFrame, accuracy: float) -> Reached:
    """When the run of these tables first reached an accuracy. A later fall below it does not count."""
    part = evaluated_part(metrics)
    at_least = curve(metrics, evaluations).query("accuracy >= @accuracy")
    if at_least.empty:
        return Reached(accuracy, part)
    first = at_least.iloc[0]
    return Reached(accuracy, part, int(first["updates"]), float(first["epoch"]), float(first["seconds"]))
