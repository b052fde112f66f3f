"""The part of a report that is about tuning: which optimizer at which batch size, and its settings."""

from __future__ import annotations

from collections.abc import Sequence

from largebatch.records.reading import NoResult
from largebatch.records.result import Status
from largebatch.report.content import ABSENT
from largebatch.report.parts import Part, Table
from largebatch.report.statistics import BY_CHANCE, OF_INTERVAL, paired, ranking
from largebatch.report.tables import shown
from largebatch.report.tuning.table import Tuned
from largebatch.settings.training import Training
from largebatch.settings.tuning import LEAST_SEEDS
from largebatch.terminal.words import counted
from largebatch.tuning.select import edges

_ANSWER = (
    "Median test accuracy over the seeds, with the lowest and the highest; a diverged seed counts as 0. "
    "Settings were chosen on validation rows. An optimizer is ahead of another if it is so with every seed, "
    f"{LEAST_SEEDS} at least. {BY_CHANCE} Seeds show the chance of start values and orders of rows, not that "
    "of which settings were tried."
)
_RANKING = f"All optimizers, from the highest median to the lowest. {OF_INTERVAL}"
_SETTINGS = (
    "The best trial of each cell that is decided. A value that is marked is the lowest or highest of all "
    "trials, so a better one may lie beyond, in the range or outside. Of two values none is marked."
)


def part(cells: Sequence[Tuned]) -> Part:
    """The part of a study that tunes."""
    budgets = list(dict.fromkeys(one.cell.budget for one in cells))
    of_budget = {budget: [one for one in cells if one.cell.budget == budget] for budget in budgets}
    answers = [_answer(budget, of) for budget, of in of_budget.items()]
    ranks = [_ranking(budget, of) for budget, of in of_budget.items() if any(one.accuracies for one in of)]
    settings = Table("Best settings", _SETTINGS, _settings(cells))
    sentences = [*_answers(cells, budgets), *_edges(cells), _progress(cells), *_undecided(cells)]
    tables = [*answers, *ranks, settings]
    return Part(
        "tuning",
        "Which optimizer at which batch size",
        sentences,
        tables,
        figures=("budgets", "rates"),
        leads=True,
    )


def name_of(budget: str) -> str:
    """A budget in words."""
    return f"equal {budget}"


# ---- the answer ----


def _answer(budget: str, cells: Sequence[Tuned]) -> Table:
    titles = list(dict.fromkeys(one.title for one in cells))
    sizes = sorted({one.training.batch_size for one in cells})
    rows = [["batch size", "best", "ahead of", *titles]]
    for size in sizes:
        of_title = {one.title: one for one in cells if one.training.batch_size == size}
        here = list(of_title.values())
        best = winner(here)
        rows.append(
            [
                str(size),
                _best(best, here) if best else ABSENT,
                _ahead(best, here) + (_so_far(here) if best else ""),
                *(_accuracy(of_title.get(title)) for title in titles),
            ]
        )
    return Table(f"By {name_of(budget)}", _ANSWER, rows)


def winner(cells: Sequence[Tuned]) -> Tuned | None:
    """The optimizer with the best median over the seeds; None if none has been tested, or all diverged."""
    tested = [one for one in cells if one.accuracies and _median(one)]
    return max(tested, key=_median, default=None)


def _best(best: Tuned, cells: Sequence[Tuned]) -> str:
    """Its title, with those that have the same median."""
    equal = [one.title for one in cells if one.accuracies and _median(one) == _median(best)]
    return " and ".join(equal)


def _median(one: Tuned) -> float:
    ordered = sorted(one.accuracies.values())
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _ahead(best: Tuned | None, cells: Sequence[Tuned]) -> str:
    """The optimizers that the best is ahead of with every seed, if any other has been tested."""
    others = [one for one in cells if one is not best and one.accuracies]
    if best is None or not others:
        return ABSENT
    beaten = [one.title for one in others if paired(best.accuracies, one.accuracies).is_ahead]
    all_tested = all(one.accuracies or _all_diverged(one) for one in cells)
    if all_tested and len(beaten) == len(others):
        return "all others"
    return ", ".join(beaten) or "none"


def _so_far(cells: Sequence[Tuned]) -> str:
    """What is said behind a verdict on several optimizers while seeds of a tested one have not ended."""
    tested = [one for one in cells if one.accuracies]
    is_open = len(tested) > 1 and any(len(one.accuracies) < one.cell.seeds for one in tested)
    return " so far" if is_open else ""


def _accuracy(one: Tuned | None) -> str:
    if one is None:
        return ABSENT
    if not one.accuracies:
        return "all trials diverged" if _all_diverged(one) else "open"
    values = one.accuracies.values()
    between = f" ({min(values):.2%} to {max(values):.2%}, {len(values)} seeds)" if len(values) > 1 else ""
    return f"{_median(one):.2%}{between}"


def _answers(cells: Sequence[Tuned], budgets: Sequence[str]) -> list[str]:
    """A sentence for each budget: the optimizer with the best median at each batch size."""
    found = []
    for budget in budgets:
        sizes = sorted({one.training.batch_size for one in cells if one.cell.budget == budget})
        told = [
            f"{_best(best, here)} at batch size {size} ({_told(best, here)})"
            for size in sizes
            if (here := [o for o in cells if (o.cell.budget, o.training.batch_size) == (budget, size)])
            and (best := winner(here)) is not None
        ]
        if told:
            found.append(f"The best by {name_of(budget)}: {'; '.join(told)}.")
    return found


def _told(best: Tuned, cells: Sequence[Tuned]) -> str:
    ahead, seeds = _ahead(best, cells), len(best.accuracies)
    if ahead == ABSENT:
        return "no other has been tested"
    if seeds < LEAST_SEEDS:
        return f"{counted(seeds, 'seed')}, too few to be ahead"
    if ahead == "none":
        return f"not ahead of any other with every seed{_so_far(cells)}"
    return f"ahead of {ahead} with every seed{_so_far(cells)}"


def _ranking(budget: str, cells: Sequence[Tuned]) -> Table:
    rows = [["batch size", "optimizer", "median", "interval", "seeds", "ahead of", "not told apart from"]]
    for size in sorted({one.training.batch_size for one in cells}):
        here = [one for one in cells if one.training.batch_size == size]
        rows += [
            [
                str(size),
                rank.line,
                f"{rank.median:.2%}",
                " to ".join(f"{end:.2%}" for end in rank.interval),
                str(len(rank.values)),
                ", ".join(rank.ahead_of) or "none",
                ", ".join(rank.beside) or "none",
            ]
            for rank in ranking({one.title: one.accuracies for one in here if one.accuracies})
        ]
    return Table(f"Ranking by {name_of(budget)}", _RANKING, rows)


# ---- settings ----


def _settings(cells: Sequence[Tuned]) -> list[list[str]]:
    names = list(dict.fromkeys(name for one in cells for name in one.cell.dimensions))
    headings = [
        "optimizer", "batch size", "budget", "epochs", "trials", "diverged",
        *(name.replace("_", " ") for name in names), "validation accuracy",
    ]  # fmt: skip
    decided = [one for one in cells if one.stands.best is not None or _all_diverged(one)]
    return [headings, *(_row(one, names) for one in decided)]


def _row(one: Tuned, names: Sequence[str]) -> list[str]:
    best = one.stands.best
    where = [
        one.title,
        str(one.training.batch_size),
        one.cell.budget,
        str(one.training.epochs),
        str(len(one.trials)),
        str(sum(run.status == Status.DIVERGED for run in one.trials)),
    ]
    if best is None:
        return [*where, *(ABSENT for _ in names), ABSENT]
    return [
        *where,
        *(_value(one, best, name) for name in names),
        f"{one.validation_accuracy:.2%}",
    ]


def _value(one: Tuned, best: Training, name: str) -> str:
    """The best value of a setting, marked if it is at an edge."""
    if name not in one.cell.dimensions:
        return ABSENT
    ends = [edge.removeprefix(f"{name} ") for edge in edges(one.cell, best) if edge.startswith(f"{name} ")]
    return shown(getattr(best, name)) + "".join(f" ({end})" for end in ends)


def _edges(cells: Sequence[Tuned]) -> list[str]:
    decided = [one for one in cells if one.stands.best is not None]
    at = [
        f"{one.title} {one.training.batch_size}"
        for one in decided
        if one.stands.best is not None and edges(one.cell, one.stands.best)
    ]
    if not at:
        return []
    return [
        f"In {len(at)} of {len(decided)} cells a best value is at an edge of what was tried: "
        f"{', '.join(dict.fromkeys(at))}. More trials or a wider range may find a better one."
    ]


def _progress(cells: Sequence[Tuned]) -> str:
    trials = {run.name: run.status for one in cells for run in one.trials}
    finals = {run.name: run.status for one in cells for run in one.finals}
    diverged = sum(status == Status.DIVERGED for status in trials.values())
    begun = sum(status != NoResult.NOT_BEGUN for status in trials.values())
    done = sum(status in (Status.FINISHED, Status.DIVERGED) for status in finals.values())
    # Cells of two budgets that have the same trials have the same final runs.
    planned = {one.cell.trials: one.cell.seeds for one in cells if not _all_diverged(one)}
    so_far = f"{begun} of which have begun and {diverged}" if begun < len(trials) else f"{diverged} of which"
    told = f"{counted(len(trials), 'trial')}, {so_far} diverged"
    count = sum(planned.values())
    return f"{told}; {done} of {counted(count, 'final run')} have ended." if count else f"{told}."


def _all_diverged(one: Tuned) -> bool:
    return one.stands.decided and one.stands.best is None and one.cell.complete


def _undecided(cells: Sequence[Tuned]) -> list[str]:
    open_ones = [one for one in cells if not (one.stands.decided and one.cell.complete)]
    if not open_ones:
        return []
    return [f"{len(open_ones)} of {len(cells)} cells are not decided yet: their trials have not all ended."]
