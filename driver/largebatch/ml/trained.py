"""What a fitted model is made of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from largebatch.ml.scoring import Plan
from largebatch.models.model import Model


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained network, how it reads features, and a row of metrics for each epoch."""

    model: Model
    scale: float
    layout: str
    history: pd.DataFrame

    def __post_init__(self) -> None:
        for array in self.model.arrays.values():
            array.setflags(write=False)  # copies of a model share them

    @property
    def arrays(self) -> list[np.ndarray[Any, np.dtype[np.float64]]]:
        """The arrays in their order."""
        return list(self.model.arrays.values())

    @property
    def unscaled(self) -> Model:
        """The model for features that nothing has divided yet; here the scale may be no whole number."""
        scale: Any = int(self.scale) if float(self.scale).is_integer() else self.scale
        return replace(self.model, images=replace(self.model.images, pixel_scale=scale))

    def plan(self, order: str, thresholds: tuple[float, ...] = ()) -> Plan:
        """How rows are scored whose numbers are in an order."""
        shape = self.model.shape
        width = shape[0] * shape[1] * shape[2]
        return Plan(width, shape, order, self.scale, thresholds, self.model.form)


@dataclass(frozen=True)
class Summary:
    """A training, epoch by epoch: `history` has the columns of metrics.csv."""

    history: pd.DataFrame

    @property
    def objectiveHistory(self) -> list[float]:  # noqa: N802 - as Spark has it
        """Mean cross-entropy on the training rows after each epoch, in nats."""
        return [float(loss) for loss in self.history["train_loss"]]

    @property
    def totalIterations(self) -> int:  # noqa: N802
        """Number of updates."""
        return int(self.history["updates"].iloc[-1])
