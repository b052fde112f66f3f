"""The paper's claims about LARS and SGD with momentum, each settled by numbers. Pure functions of a table.

A claim is the conjunction of statements; a statement holds if every batch size in its range passes a test.
The paper describes its figures in words; WORDS says which number each word has here, and why.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from largebatch.report.tables import Line, by_batch_size

PAPERS_KIND = ("mnist", "lenet")  # data set and network of the runs that the claims are about
ABOUT_99 = 0.98
STEEP = 0.10
CLEAR = 0.05
BETTER = 0.01
HALF = 0.5

WORDS = (
    (
        "about 99%",
        f"{ABOUT_99:.0%} or more",
        "within one point, as much as can be read off a figure that goes from 0 to 100%",
    ),
    (
        "falls steeply",
        f"{STEEP * 100:.0f} points or more per doubling of the batch",
        "what the paper calls gradual, from 99% at 1024 to 90% at 8000, is 3 points per doubling",
    ),
    (
        "much higher, drops significantly",
        f"{CLEAR * 100:.0f} points or more",
        "ten times the standard error of an accuracy over 10000 test images, which is at most 0.5 points",
    ),
    ("better, higher, grows", f"{BETTER * 100:.0f} point or more", "twice that standard error"),
    ("much smaller", f"at most {HALF:.0%}", "of an error of 1 point or more: less can't be told from none"),
)

REPRODUCED, PARTLY, NOT_REPRODUCED = "reproduced", "partly reproduced", "not reproduced"
NOT_MEASURED = "not measured"

OWN_SETTINGS = {"learning_rate", "trust_coefficient", "scope", "adapt_biases"}

Values = Mapping[int, float]  # by batch size


@dataclass(frozen=True)
class Statement:
    """Part of a claim. `holds` is None while a batch size that it needs is missing and none refutes it."""

    text: str
    measured: str
    holds: bool | None
    runs: tuple[str, ...]  # names of the runs that the numbers come from


@dataclass(frozen=True)
class Claim:
    """What the paper says, and what became of it."""

    number: int
    paper: str
    statements: tuple[Statement, ...]
    of_seeds: tuple[tuple[int, str], ...] = ()  # verdicts of single seeds, where several can settle it

    @property
    def seeds_differ(self) -> bool:
        """Whether a single seed gives another verdict than the mean over all."""
        return any(verdict != self.verdict for _, verdict in self.of_seeds)

    @property
    def seeds(self) -> str:
        """The verdicts of single seeds: "seeds 1, 2 alone: the same; seed 3 alone: not reproduced"."""
        groups: dict[str, list[int]] = {}
        for seed, verdict in self.of_seeds:
            groups.setdefault("the same" if verdict == self.verdict else verdict, []).append(seed)
        return "; ".join(
            f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))} alone: {verdict}"
            for verdict, seeds in groups.items()
        )

    @property
    def runs(self) -> set[str]:
        """Names of all runs that it rests on."""
        return {name for statement in self.statements for name in statement.runs}

    @property
    def verdict(self) -> str:
        """Reproduced if all statements hold, partly if some do, not measured if that is not known yet."""
        outcomes = [statement.holds for statement in self.statements]
        if False in outcomes:
            return PARTLY if True in outcomes else NOT_REPRODUCED
        return NOT_MEASURED if None in outcomes else REPRODUCED


def pairs(lines: Iterable[Line]) -> list[tuple[Line, Line]]:
    """Lines of SGD with momentum and of LARS that can be compared.

    Settings that both have several values of must be equal, but for those that mean something else, or
    nothing, to the other optimizer.
    """
    several = list(lines)
    return [
        (sgd, lars)
        for sgd in several
        for lars in several
        if (sgd.optimizer, lars.optimizer) == ("sgd_momentum", "lars") and _comparable(sgd, lars)
    ]


def _comparable(a: Line, b: Line) -> bool:
    shared = (set(a.settings) & set(b.settings)) - OWN_SETTINGS
    return all(a.settings[name] == b.settings[name] for name in shared)


def judge(cells: pd.DataFrame, sgd: str, lars: str) -> tuple[Claim, ...]:
    """The seven claims for two lines, by their names, of the table that `tables.cells` makes."""
    a, b = _Line(cells, sgd, "SGD"), _Line(cells, lars, "LARS")
    claims = (
        _around_99, _above_90, _from_16000, _at_28000, _at_32000, _train_accuracy, _generalization
    )  # fmt: skip
    return tuple(claim(a, b) for claim in claims)


class _Line:
    """One line's numbers by batch size."""

    def __init__(self, cells: pd.DataFrame, name: str, title: str) -> None:
        self.title = title
        self.names: dict[int, tuple[str, ...]] = by_batch_size(cells, name, "names")
        self.test: dict[int, float] = by_batch_size(cells, name, "test_accuracy")
        self.train: dict[int, float] = by_batch_size(cells, name, "train_accuracy")
        self.gap: dict[int, float] = by_batch_size(cells, name, "generalization_error")


# ---- the claims ----


def _around_99(sgd: _Line, lars: _Line) -> Claim:
    statements = tuple(
        _Measured(_part(line.test, 0, 1024), (line,), (1024,), _levels).every(
            f"{line.title}: at least {ABOUT_99:.0%} at every batch size up to 1024",
            lambda accuracy: accuracy >= ABOUT_99,
        )
        for line in (sgd, lars)
    )
    return Claim(1, "Both optimizers have about 99% test accuracy up to batch size 1024.", statements)


def _above_90(sgd: _Line, lars: _Line) -> Claim:
    statements = tuple(
        _Measured(_part(line.test, 0, 8000), (line,), (8000,), _levels).every(
            f"{line.title}: above 90% at every batch size up to 8000", lambda accuracy: accuracy > 0.90
        )
        for line in (sgd, lars)
    )
    return Claim(2, "Both stay above 90% test accuracy up to batch size 8000.", statements)


def _from_16000(sgd: _Line, lars: _Line) -> Claim:
    start = sgd.test.get(8000, math.nan)
    per_doubling = {
        size: (accuracy - start) / math.log2(size / 8000) for size, accuracy in _part(sgd.test, 16000).items()
    }
    falls = _Measured(per_doubling, (sgd,), (8000, 16000, 32000), _points).every(
        f"SGD: loses at least {STEEP * 100:.0f} points per doubling from 8000 to every batch size from 16000",
        lambda change: change <= -STEEP,
    )
    lead = _part(_difference(lars.test, sgd.test), 16000, 31999)
    higher = _Measured(lead, (sgd, lars), (16000, 28000), _points).every(
        f"LARS: at least {CLEAR * 100:.0f} points above SGD from 16000 to below 32000",
        lambda difference: difference >= CLEAR,
    )
    return Claim(3, "From batch size 16000 SGD falls steeply, while LARS stays much higher.", (falls, higher))


def _at_28000(sgd: _Line, lars: _Line) -> Claim:
    low = _Measured(_part(sgd.test, 28000), (sgd,), (28000,), _levels).every(
        "SGD: below 40% at every batch size from 28000", lambda accuracy: accuracy < 0.40
    )
    high = _Measured(_part(lars.test, 28000, 31999), (lars,), (28000,), _levels).every(
        "LARS: above 55% from 28000 to below 32000", lambda accuracy: accuracy > 0.55
    )
    return Claim(4, "From batch size 28000 SGD is below 40%, LARS above 55%.", (low, high))


def _at_32000(sgd: _Line, lars: _Line) -> Claim:
    drops = tuple(
        _Measured(_change(line.test, 28000, 32000), (line,), (28000, 32000), _points).every(
            f"{line.title}: at 32000 at least {CLEAR * 100:.0f} points below 28000",
            lambda change: change <= -CLEAR,
        )
        for line in (sgd, lars)
    )
    lead = _part(_difference(lars.test, sgd.test), 32000, 32000)
    better = _Measured(lead, (sgd, lars), (32000,), _points).every(
        f"LARS: at 32000 at least {BETTER * 100:.0f} point above SGD", lambda difference: difference >= BETTER
    )
    return Claim(5, "At batch size 32000 both drop significantly, LARS being the better.", (*drops, better))


def _train_accuracy(sgd: _Line, lars: _Line) -> Claim:
    lead = _part(_difference(lars.train, sgd.train), 16000)
    higher = _Measured(lead, (sgd, lars), (16000, 32000), _points).every(
        f"LARS: train accuracy at least {BETTER * 100:.0f} point above SGD's at every batch size from 16000",
        lambda difference: difference >= BETTER,
    )
    return Claim(6, "Train accuracy, too, is higher with LARS from batch size 16000.", (higher,))


def _generalization(sgd: _Line, lars: _Line) -> Claim:
    start = sgd.gap.get(8000, math.nan)
    growth = {size: gap - start for size, gap in _part(sgd.gap, 8001).items()}
    grows = _Measured(growth, (sgd,), (8000, 16000, 32000), _points).every(
        f"SGD: at every batch size above 8000 at least {BETTER * 100:.0f} point more than at 8000",
        lambda change: change >= BETTER,
    )

    def both(sizes: Values) -> str:
        return (
            f"SGD {_points({s: sgd.gap[s] for s in sizes})}, LARS {_points({s: lars.gap[s] for s in sizes})}"
        )

    # LARS' gap relative to SGD's (1 = equal). Infinite where SGD's gap is below 1 point: nothing can be "much
    # smaller" than noise.
    shares = {
        size: abs(gap) / sgd.gap[size] if sgd.gap[size] >= BETTER else math.inf
        for size, gap in _part(lars.gap, 8001).items()
        if size in sgd.gap
    }
    smaller = _Measured(shares, (sgd, lars), (16000, 32000), both).every(
        f"LARS: at every batch size above 8000 at most {HALF:.0%} of SGD's, which is at least "
        f"{BETTER * 100:.0f} point",
        lambda share: share <= HALF,
    )
    paper = "Beyond batch size 8000 the generalization error of SGD grows; that of LARS stays much smaller."
    return Claim(7, paper, (grows, smaller))


# ---- statements about values by batch size ----


@dataclass(frozen=True)
class _Measured:
    """Values by batch size, the lines that they come from, and how they are shown.

    While a line lacks a result at one of the batch sizes in `needs`, nothing but a refutation counts.
    """

    values: Values
    lines: tuple[_Line, ...]
    needs: tuple[int, ...]
    show: Callable[[Values], str]

    def every(self, text: str, passes: Callable[[float], bool]) -> Statement:
        """The statement that every value passes a test."""
        known = {size: value for size, value in self.values.items() if not math.isnan(value)}
        passed = [size for size, value in known.items() if passes(value)]
        missing = [
            f"no result of {line.title} at {size}"
            for size in self.needs
            for line in self.lines
            if size not in line.test
        ]
        refuted = len(passed) < len(known)
        parts = [self.show(known)] if known else []
        if refuted and len(known) > 1:
            parts.append(f"holds at {len(passed)} of {len(known)} batch sizes")
        holds = False if refuted else None if missing else True
        return Statement(text, "; ".join(parts + missing), holds, self._runs(known))

    def _runs(self, known: Values) -> tuple[str, ...]:
        sizes = sorted({*known, *self.needs}) if known else []
        return tuple(name for size in sizes for line in self.lines for name in line.names.get(size, ()))


def _part(values: Values, first: int, last: float = math.inf) -> Values:
    return {size: value for size, value in values.items() if first <= size <= last}


def _difference(of: Values, other: Values) -> Values:
    return {size: value - other[size] for size, value in of.items() if size in other}


def _change(values: Values, first: int, last: int) -> Values:
    return {last: values[last] - values[first]} if first in values and last in values else {}


def _levels(values: Values) -> str:
    return _range(values, "{:.2%}")


def _points(values: Values) -> str:
    """Differences of accuracies, in percentage points."""
    return _range({size: value * 100 for size, value in values.items()}, "{:+z.2f} points")


def _range(values: Values, form: str) -> str:
    low, high = min(values, key=lambda size: values[size]), max(values, key=lambda size: values[size])
    if low == high:
        return f"{form.format(values[low])} at {low}"
    return f"{form.format(values[low])} at {low} to {form.format(values[high])} at {high}"
