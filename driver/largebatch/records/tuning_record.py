"""The part of study.json that is about tuning: the cells, with their trials by name, and the final runs.

"tuning": {"cells": [{"budget", "dimensions", "rungs", "share", "seeds", "trials": [names]}],
           "finals": [entries as in "runs"]}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from largebatch.settings.study import run_name
from largebatch.settings.training import Training
from largebatch.settings.tuning import MOST_SEEDS, Cell

_CELL = {"budget": str, "dimensions": list, "rungs": list, "share": float, "seeds": int, "trials": list}


def to_mapping(cells: Iterable[Cell]) -> list[dict[str, Any]]:
    """The cells as JSON can hold them."""
    return [
        {
            "budget": cell.budget,
            "dimensions": list(cell.dimensions),
            "rungs": list(cell.rungs),
            "share": cell.share,
            "seeds": cell.seeds,
            "trials": [run_name(trial) for trial in cell.trials],
        }
        for cell in cells
    ]


def from_mapping(values: Any, trainings: Mapping[str, Training]) -> tuple[Cell, ...]:
    """The recorded cells; `trainings` are the recorded runs by name. Raises ValueError for other values."""
    if not isinstance(values, list):
        raise ValueError("lacks the cells of its tuning")
    return tuple(_cell(value, trainings) for value in values)


def _cell(value: Any, trainings: Mapping[str, Training]) -> Cell:
    if not isinstance(value, dict) or not all(isinstance(value.get(k), kind) for k, kind in _CELL.items()):
        raise ValueError(f"has a cell that lacks one of {', '.join(_CELL)}")
    names = value["trials"]
    if not names or not all(isinstance(name, str) and name in trainings for name in names):
        raise ValueError("has a cell of trials that are none of its runs")
    rungs, dimensions = value["rungs"], value["dimensions"]
    if not rungs or not all(type(rung) is int and rung > 0 for rung in rungs):
        raise ValueError("has a cell whose rungs are no epochs")
    if not (0 < value["share"] < 1 and 0 <= value["seeds"] <= MOST_SEEDS):
        raise ValueError("has a cell whose share or seeds are out of range")
    if not all(name in trainings[names[0]].to_mapping() for name in dimensions):
        raise ValueError("has a cell of unknown settings")
    return Cell(
        value["budget"],
        tuple(trainings[name] for name in names),
        tuple(dimensions),
        tuple(rungs),
        value["share"],
        value["seeds"],
    )
