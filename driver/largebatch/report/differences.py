"""Differences between two runs, or two studies, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from largebatch.report.tables import shown
from largebatch.terminal.table import align

RESULTS = (  # results of a run that are compared: name in tables.results, format
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
        forms = dict(RESULTS)
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

    settings: str  # settings that tell it from the other pairs
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


# ---- text ----


def _by_name(differences: Iterable[Difference]) -> dict[str, dict[str, Any]]:
    return {d.name: {"a": d.a, "b": d.b} for d in differences}


def _listed(title: str, differences: Sequence[Difference]) -> str:
    if not differences:
        return f"{title}: no difference"
    rows = [[title, "A", "B"], *([d.name, shown(d.a), shown(d.b)] for d in differences)]
    return align(rows)


def _row(pair: Pair) -> list[str]:
    accuracies = [_cell(value, "{:.2%}") for value in pair.test_accuracy]
    same = "identical" if pair.runs.identical else f"differ from epoch {pair.runs.first_epoch}"
    return [pair.settings, *accuracies, _points(pair.difference), same]


def _points(difference: float | None) -> str:
    return "-" if difference is None else f"{difference * 100:+z.2f}"


def _cell(value: Any, form: str) -> str:
    return "-" if value is None else form.format(value)
