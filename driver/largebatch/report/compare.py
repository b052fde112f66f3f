"""`largebatch compare`: differences between two runs, or two studies, in settings and in results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from largebatch.errors import UserError
from largebatch.records.reading import RunRecord, is_study, read_run, read_study
from largebatch.report import tables
from largebatch.report.differences import RESULTS, Difference, Pair, Runs, Studies
from largebatch.settings.training import Training
from largebatch.settings.values import declared

_TIMES = ("seconds", "images_per_second", "evaluation_seconds")
_GRID = ("optimizer", "batch_size", "seed")
MOST_NAMED = 6  # settings by which a pair is named; more are told by the run's name


def compare(a: Path, b: Path) -> Runs | Studies:
    """Compare two folders of runs or two of studies. Raises UserError for other folders, or one of each."""
    kinds = [is_study(path) for path in (a, b)]
    if kinds[0] != kinds[1]:
        study, run = (a, b) if kinds[0] else (b, a)
        raise UserError(f"{study} is the folder of a study and {run} is not: name two of one kind")
    if kinds[0]:
        return _compare_studies(a, b)
    return _compare_runs(read_run(a), read_run(b), str(a), str(b))


# ---- runs ----


def _compare_runs(a: RunRecord, b: RunRecord, name_a: str, name_b: str) -> Runs:
    rows = [tables.result(run, "") for run in (a, b)]
    return Runs(
        name_a,
        name_b,
        _differences(a.training.to_mapping(), b.training.to_mapping()) + _differences(*_executions(a, b)),
        _differences(a.versions, b.versions),
        tuple((name, *(_plain(row[name]) for row in rows)) for name in _compared(a.metrics, b.metrics)),
        _first_difference(a.metrics, b.metrics),
    )


def _compared(a: pd.DataFrame, b: pd.DataFrame) -> list[str]:
    """Names of the results: those of a validation part only if a run has one."""
    part = "validation_"
    there = any(str(name).startswith(part) for name in (*a, *b))
    return [name for name, _ in RESULTS if there or not name.startswith(part)]


def _executions(a: RunRecord, b: RunRecord) -> tuple[dict[str, Any], dict[str, Any]]:
    """The executions of both; empty while one of them has not begun."""
    if a.execution is None or b.execution is None:
        return {}, {}
    return a.execution.to_mapping(), b.execution.to_mapping()


def _differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[Difference, ...]:
    names = dict.fromkeys((*a, *b))
    return tuple(Difference(n, a.get(n), b.get(n)) for n in names if a.get(n) != b.get(n))


def _first_difference(a: pd.DataFrame, b: pd.DataFrame) -> int | None:
    """The first epoch that is not the same in both, or that one of them lacks."""
    a, b = (table.drop(columns=[name for name in _TIMES if name in table]) for table in (a, b))
    both = min(len(a), len(b))
    if both and list(a.columns) != list(b.columns):
        return 1
    for epoch in range(both):
        if not a.iloc[epoch].equals(b.iloc[epoch]):
            return epoch + 1
    return None if len(a) == len(b) else both + 1


def _plain(value: Any) -> Any:
    """A value as JSON has it: null if it is missing."""
    return None if value == "" or (isinstance(value, float) and pd.isna(value)) else value


# ---- studies ----


def _compare_studies(path_a: Path, path_b: Path) -> Studies:
    of_a, of_b = read_study(path_a), read_study(path_b)
    found = [_match(of_a.runs, of_b.runs), _match(of_a.finals, of_b.finals)]
    pairs = tuple(pair for pairs, _, _ in found for pair in pairs)
    only_a = tuple(name for _, names, _ in found for name in names)
    only_b = tuple(name for _, _, names in found for name in names)
    return Studies(str(path_a), str(path_b), _in_all(pairs), pairs, only_a, only_b)


def _match(
    of_a: Sequence[RunRecord], of_b: Sequence[RunRecord]
) -> tuple[tuple[Pair, ...], tuple[str, ...], tuple[str, ...]]:
    """Pairs of runs that match, and the names of those that only one of two studies has."""
    names = _matching(of_a, of_b)
    a, b = ({_key(run, names): run for run in runs} for runs in (of_a, of_b))
    return (
        tuple(_pair(a[key], b[key], names) for key in a if key in b),
        tuple(run.name for key, run in a.items() if key not in b),
        tuple(run.name for key, run in b.items() if key not in a),
    )


def _matching(a: Sequence[RunRecord], b: Sequence[RunRecord]) -> Sequence[str]:
    """Settings by which runs are matched: no more than it takes to tell a study's runs from each other."""
    every = list(declared(Training))
    varied = [name for name in every if all(len({_value(r, name) for r in runs}) > 1 for runs in (a, b))]
    for names in (_GRID, varied):
        if all(len({_key(run, names) for run in runs}) == len(runs) for runs in (a, b)):
            return names
    return every


def _key(run: RunRecord, names: Sequence[str]) -> tuple[Any, ...]:
    return tuple(_value(run, name) for name in names)


def _value(run: RunRecord, name: str) -> Any:
    return getattr(run.training, name)


def _pair(a: RunRecord, b: RunRecord, names: Sequence[str]) -> Pair:
    settings = (
        ", ".join(f"{name.replace('_', ' ')} {tables.shown(_value(a, name))}" for name in names)
        if len(names) <= MOST_NAMED
        else a.name
    )
    runs = _compare_runs(a, b, a.name, b.name)
    accuracies = next((x, y) for name, x, y in runs.results if name == "test_accuracy")
    return Pair(settings, runs, accuracies)


def _in_all(pairs: Sequence[Pair]) -> tuple[Difference, ...]:
    """Settings that differ between the studies' pairs, each with its values."""
    found: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for pair in pairs:
        for difference in pair.runs.settings:
            values = found.setdefault(difference.name, ({}, {}))
            values[0][tables.shown(difference.a)] = None
            values[1][tables.shown(difference.b)] = None
    return tuple(Difference(name, ", ".join(a), ", ".join(b)) for name, (a, b) in found.items())
