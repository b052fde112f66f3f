"""Scores on Spark's executors. They get this file by value: they need no `largebatch`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from largebatch.ml.rows import channels_first, matrix
from largebatch.models.forward import Floats, Form, scores_of, softmax

ROWS = 512  # that are scored at a time


@dataclass(frozen=True)
class Plan:
    """How rows are scored: `order` as in channels_first, `form` as in largebatch.models.forward."""

    width: int
    image: tuple[int, int, int]
    order: str
    scale: float
    thresholds: tuple[float, ...]
    form: Form


def scored(arrays: list[Floats], values: Any, plan: Plan) -> tuple[Floats, Floats, Floats]:
    """Scores and probabilities, of shape (N, K), and predictions (N,) of features as `matrix` takes them."""
    X = channels_first(matrix(values, plan.width), plan.image, plan.order) / plan.scale
    if not np.isfinite(X).all():
        raise ValueError("a row has features that are null, NaN or infinite: filter or mend it")
    raw = scores_of(arrays, X, plan.image, plan.form)
    probability = softmax(raw)
    weighed = probability
    if plan.thresholds:
        with np.errstate(divide="ignore", invalid="ignore"):
            weighed = probability / np.array(plan.thresholds)
            weighed[np.isnan(weighed)] = -np.inf  # 0 / 0: a class without probability is not chosen
    return raw, probability, weighed.argmax(axis=1).astype(np.float64)


def scorer(held: Any, plan: Plan) -> Callable[[Any], Any]:
    """A function for a pandas UDF; `held.value` are the model's arrays."""

    def score(batches: Iterator[pd.Series]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            starts = range(0, max(len(batch), 1), ROWS)
            parts = [scored(held.value, batch.iloc[first : first + ROWS], plan) for first in starts]
            raw, probability, prediction = map(np.concatenate, zip(*parts, strict=True))
            yield pd.DataFrame({"raw": list(raw), "probability": list(probability), "prediction": prediction})

    return score
