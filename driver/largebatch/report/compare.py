"""`largebatch compare`: what differs between two runs, or two studies, in settings and in results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from largebatch.errors import UserError
from largebatch.records.reading import RunRecord, is_study, read_run, read_study
from largebatch.report import tables
from largebatch.settings.training import Training
from largebatch.settings.values import declared
from largebatch.terminal.table import align

_TIMES = ("seconds", "images_per_second", "evaluation_seconds")
_RESULTS = (  # shown of a run: name in tables.results, format
    ("status", "{}"),
    ("reason", "{}"),
    ("epochs_done", "{}"),
    ("train_accuracy", "{:.2%}"),
    ("validation_accuracy", "{:.2%}"),
    ("test_accuracy", "{:.2%}"),
    ("generalization_error", "{:+z.2%}"),
    ("train_loss", "{:.6g}"),
    ("validation_loss", "{:.6g}"),
    ("test_loss", "{:.6g}"),
    ("training_seconds", "{:.1f}"),
    ("evaluation_seconds", "{:.1f}"),
)
_GRID = ("optimizer", "batch_size", "seed")
_IDENTICAL = "Results are identical, times aside."


@dataclass(frozen=True)
class Difference:
    """A setting, version or result that is not the same on both sides."""

    name: str
    a: Any
    b: Any


@dataclass(frozen=True)
class Runs:
    """Two runs compared. `first_epoch` is the first whose metrics differ, times aside; None if none does."""

    a: str
    b: str
    settings: tuple[Difference, ...]
    versions: tuple[Difference, ...]
    results: tuple[tuple[str, Any, Any], ...]  # name, of a, of b
    first_epoch: int | None

    @property
    def identical(self) -> bool:
        """Whether every number that both computed is the same to the last bit."""
        return self.first_epoch is None

    def to_mapping(self) -> dict[str, Any]:
        """The comparison as JSON can hold it."""
        return {
            "a": self.a,
            "b": self.b,
            "settings": _by_name(self.settings),
            "versions": _by_name(self.versions),
            "results": {name: {"a": a, "b": b} for name, a, b in self.results},
            "identical": self.identical,
            "first_epoch_that_differs": self.first_epoch,
        }

    def text(self) -> str:
        """The comparison for a terminal."""
        forms = dict(_RESULTS)
        known = [(name, a, b) for name, a, b in self.results if (a, b) != (None, None)]
        rows = [
            ["", "A", "B"],
            *([n.replace("_", " "), *(_cell(v, forms[n]) for v in v)] for n, *v in known),
        ]
        verdict = _IDENTICAL if self.identical else f"Results differ from epoch {self.first_epoch} on."
        return "\n\n".join(
            [
                f"A  {self.a}\nB  {self.b}",
                _listed("Settings", self.settings),
                _listed("Versions", self.versions),
                align(rows),
                verdict,
            ]
        )


@dataclass(frozen=True)
class Pair:
    """A run of each of two studies that have the same place in their grids."""

    settings: str  # that tell it from the other pairs
    runs: Runs
    test_accuracy: tuple[float | None, float | None]

    @property
    def difference(self) -> float | None:
        """How much higher B's test accuracy is."""
        a, b = self.test_accuracy
        return None if a is None or b is None else b - a


@dataclass(frozen=True)
class Studies:
    """Two studies compared, run by run. The settings are those that differ in all pairs alike."""

    a: str
    b: str
    settings: tuple[Difference, ...]
    pairs: tuple[Pair, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]

    @property
    def identical(self) -> bool:
        """Whether all runs have a counterpart with the same numbers."""
        return not self.only_a and not self.only_b and all(pair.runs.identical for pair in self.pairs)

    @property
    def largest(self) -> Pair | None:
        """The pair whose test accuracies are furthest apart."""
        known = [pair for pair in self.pairs if pair.difference is not None]
        return max(known, key=lambda pair: abs(pair.difference or 0), default=None)

    def to_mapping(self) -> dict[str, Any]:
        """The comparison as JSON can hold it."""
        return {
            "a": self.a,
            "b": self.b,
            "settings": _by_name(self.settings),
            "runs": [
                pair.runs.to_mapping() | {"test_accuracy_difference": pair.difference} for pair in self.pairs
            ],
            "only_a": list(self.only_a),
            "only_b": list(self.only_b),
            "largest_test_accuracy_difference": self.largest.difference if self.largest else None,
            "identical": self.identical,
        }

    def text(self) -> str:
        """The comparison for a terminal."""
        parts = [f"A  {self.a}\nB  {self.b}", _listed("Settings", self.settings)]
        parts += [f"Only in {side}: {', '.join(names)}" for side, names in self._alone() if names]
        if self.pairs:
            parts.append(
                align([["test accuracy of", "A", "B", "B - A", "times aside"], *map(_row, self.pairs)])
            )
        return "\n\n".join([*parts, self._verdict()])

    def _alone(self) -> Iterable[tuple[str, tuple[str, ...]]]:
        return ("A", self.only_a), ("B", self.only_b)

    def _verdict(self) -> str:
        if self.identical:
            return _IDENTICAL
        same = sum(pair.runs.identical for pair in self.pairs)
        text = f"{same} of {len(self.pairs)} pairs of runs are identical, times aside."
        if self.largest is None:
            return text
        return (
            f"{text} Largest difference in test accuracy: "
            f"{_points(self.largest.difference)} points, {self.largest.settings}."
        )


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
    return [name for name, _ in _RESULTS if there or not name.startswith(part)]


def _executions(a: RunRecord, b: RunRecord) -> tuple[dict[str, Any], dict[str, Any]]:
    """How both were carried out; nothing while one of them is not begun."""
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
    """A value as JSON has it: what is missing is null."""
    return None if value == "" or (isinstance(value, float) and pd.isna(value)) else value


# ---- studies ----


def _compare_studies(path_a: Path, path_b: Path) -> Studies:
    of_a, of_b = read_study(path_a), read_study(path_b)
    names = _matching(of_a.runs, of_b.runs)
    a, b = ({_key(run, names): run for run in study.runs} for study in (of_a, of_b))
    shared = [key for key in a if key in b]
    pairs = tuple(_pair(a[key], b[key], names) for key in shared)
    return Studies(
        str(path_a),
        str(path_b),
        _in_all(pairs),
        pairs,
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
        if len(names) < 6
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


# ---- text ----


def _by_name(differences: Iterable[Difference]) -> dict[str, dict[str, Any]]:
    return {d.name: {"a": d.a, "b": d.b} for d in differences}


def _listed(title: str, differences: Sequence[Difference]) -> str:
    if not differences:
        return f"{title}: no difference"
    rows = [[title, "A", "B"], *([d.name, tables.shown(d.a), tables.shown(d.b)] for d in differences)]
    return align(rows)


def _row(pair: Pair) -> list[str]:
    accuracies = [_cell(value, "{:.2%}") for value in pair.test_accuracy]
    same = "identical" if pair.runs.identical else f"differ from epoch {pair.runs.first_epoch}"
    return [pair.settings, *accuracies, _points(pair.difference), same]


def _points(difference: float | None) -> str:
    return "-" if difference is None else f"{difference * 100:+z.2f}"


def _cell(value: Any, form: str) -> str:
    return "-" if value is None else form.format(value)
