"""Made-up tables of studies, as reports read them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from largebatch.report.targets import steps

NEVER = math.nan


ROWS = 6400


def table(
    lines: Mapping[str, Mapping[int, list[float]]], target: float = 0.9, epochs: float = 100
) -> pd.DataFrame:
    """Updates to the target by line, batch size and seed, 1 s each, of runs of so many epochs."""
    rows = [
        (
            f"{line}-{size}-{seed}",
            line,
            line,
            size,
            seed,
            "finished",
            target,
            "test",
            count,
            count * size / ROWS,
            count,
            epochs,
        )
        for line, sizes in lines.items()
        for size, counts in sizes.items()
        for seed, count in enumerate(counts, start=1)
    ]
    return pd.DataFrame(rows, columns=list(steps.no_steps()))


def tried(errors: Mapping[int, Mapping[float, float | None]]) -> pd.DataFrame:
    """Errors by batch size and rate; None has diverged."""
    rows = [
        (
            "lars",
            size,
            rate,
            "diverged" if error is None else "finished",
            NEVER if error is None else 1 - error,
        )
        for size, of_size in errors.items()
        for rate, error in of_size.items()
    ]
    return pd.DataFrame(rows, columns=["optimizer", "batch_size", "learning_rate", "status", "test_accuracy"])
