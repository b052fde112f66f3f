"""Tables of a study that tunes: a row per trial, per final run, and per cell. All pure.

A cell is an optimizer at a batch size, in a budget. A run that two budgets share has a row in each.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from largebatch.records.reading import RunRecord, StudyRecord, cut
from largebatch.records.result import Status
from largebatch.report import tables
from largebatch.report.statistics import bootstrap_interval, paired
from largebatch.settings.optimizers import OPTIMIZERS
from largebatch.settings.training import Training
from largebatch.settings.tuning import EPOCHS, Cell
from largebatch.tuning.select import Curve, Standing, edges, standing

MEASURED = ("train_accuracy", "train_loss", "validation_accuracy", "validation_loss")


@dataclass(frozen=True)
class Tuned:
    """A cell as it stands, and its final runs, none before it is decided."""

    cell: Cell
    stands: Standing
    trials: tuple[RunRecord, ...]
    finals: tuple[RunRecord, ...]

    @property
    def training(self) -> Training:
        """Settings that all trials share."""
        return self.cell.trials[0]

    @property
    def title(self) -> str:
        """The optimizer's name in reports."""
        return OPTIMIZERS[self.training.optimizer].title

    @property
    def accuracies(self) -> dict[int, float]:
        """Test accuracy by seed; 0 for a seed that diverged."""
        ended = [run for run in self.finals if run.status in (Status.FINISHED, Status.DIVERGED)]
        return {
            run.training.seed: 0.0
            if run.status == Status.DIVERGED
            else float(run.metrics["test_accuracy"].iloc[-1])
            for run in ended
            if "test_accuracy" in run.metrics
        }

    @property
    def validation_accuracy(self) -> float:
        """That of the best trial after its last epoch; not a number without one."""
        best = self.stands.best
        if best is None:
            return math.nan
        metrics = self.trials[self.cell.trials.index(best)].metrics
        return Curve.of("", metrics).accuracies[-1]


def cells(study: StudyRecord) -> list[Tuned]:
    """The cells of a study, budget by budget."""
    runs = {run.training: run for run in study.runs}
    finals = {run.training: run for run in study.finals}
    curves = {training: Curve.of(run.status, run.metrics) for training, run in runs.items()}
    found = []
    for cell in study.tuning:
        stands = standing(cell, curves.__getitem__)
        seeds = [] if stands.best is None else cell.finals(stands.best)
        known = tuple(finals[run] for run in seeds if run in finals)
        trials = tuple(_up_to(runs[trial], stands.goals.get(trial)) for trial in cell.trials)
        found.append(Tuned(cell, stands, trials, known))
    return found


def _up_to(run: RunRecord, goal: int | None) -> RunRecord:
    """A trial without the epochs after its goal, which another study that shares the run may have trained."""
    if goal is None or len(run.metrics) <= goal:
        return run
    return dataclasses.replace(cut(run, goal), status=Status.PAUSED)


# ---- a row per trial ----


def trials(of: Iterable[Tuned]) -> pd.DataFrame:
    """Number, place and results of every trial; accuracies and losses are those of its last epoch.

    `rung` is the epoch up to which a trial is trained: only those of one cell and one rung can be compared.
    """
    rows = [row for one in of for row in _trials(one)]
    return _ordered(pd.DataFrame(rows), "budget", "optimizer", "batch_size", "trial", "selected", "rung")


def _trials(one: Tuned) -> Iterable[dict[str, Any]]:
    for number, run in enumerate(one.trials, start=1):
        useful = len(run.metrics) and run.status != Status.DIVERGED
        last: dict[Any, Any] = run.metrics.iloc[-1].to_dict() if useful else {}
        yield {
            **tables.result(run, one.title),
            **{name: float(last.get(name, np.nan)) for name in MEASURED},
            "budget": one.cell.budget,
            "trial": number,
            "selected": run.training == one.stands.best,
            "rung": one.stands.goals[run.training],
        }


def compared(of: Iterable[Tuned]) -> pd.DataFrame:
    """The trials by equal epochs, after the first rung: the last epoch at which all of a cell compare.

    A row per trial: optimizer, batch_size, learning_rate, status, validation_accuracy, selected, edge
    (whether its rate is the lowest or highest of the cell), epoch, epochs.
    """
    rows = [
        {
            "optimizer": one.training.optimizer,
            "batch_size": one.training.batch_size,
            "learning_rate": run.training.learning_rate,
            "status": Status.FINISHED if curve.alive(rung) else str(run.status),
            "validation_accuracy": curve.accuracies[rung - 1] if curve.alive(rung) else np.nan,
            "selected": run.training == one.stands.best,
            "edge": any(edge.startswith("learning_rate ") for edge in edges(one.cell, run.training)),
            "epoch": rung,
            "epochs": one.training.epochs,
        }
        for one in of
        if one.cell.budget == EPOCHS
        for rung in one.cell.rungs[:1]
        for run in one.trials
        for curve in (Curve.of(run.status, run.metrics),)
    ]
    columns = ("optimizer", "batch_size", "learning_rate", "status", "validation_accuracy")
    return pd.DataFrame(rows, columns=[*columns, "selected", "edge", "epoch", "epochs"])


# ---- final runs ----


def of_budgets(study: StudyRecord, of: Iterable[Tuned]) -> dict[str, StudyRecord]:
    """For each budget the study of its final runs."""
    found: dict[str, tuple[RunRecord, ...]] = {}
    for one in of:
        found[one.cell.budget] = (*found.get(one.cell.budget, ()), *one.finals)
    return {
        budget: dataclasses.replace(study, runs=runs, tuning=(), finals=()) for budget, runs in found.items()
    }


def finals(study: StudyRecord, budgets: Mapping[str, StudyRecord]) -> pd.DataFrame:
    """A row per final run and budget: the columns of `tables.results`, and the budget.

    Lines of another budget than equal epochs say so.
    """
    parts = [_with_budget(tables.results(of), budget) for budget, of in budgets.items() if of.runs]
    whole = (
        pd.concat(parts, ignore_index=True) if parts else _with_budget(tables.results(study), EPOCHS).iloc[:0]
    )
    return _ordered(whole, "budget")


def final_epochs(study: StudyRecord, budgets: Mapping[str, StudyRecord]) -> pd.DataFrame:
    """A row per final run, budget and epoch: as `tables.epochs`."""
    parts = [_with_budget(tables.epochs(of), budget) for budget, of in budgets.items() if of.runs]
    return (
        pd.concat(parts, ignore_index=True) if parts else tables.epochs(dataclasses.replace(study, runs=()))
    )


def steps(of: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """A row per final run, budget and target: as `targets.steps`, from the steps of each budget."""
    return _ordered(
        pd.concat([_with_budget(table, b) for b, table in of.items()], ignore_index=True), "budget"
    )


def _with_budget(table: pd.DataFrame, budget: str) -> pd.DataFrame:
    lines = table["line"] if budget == EPOCHS else table["line"] + f", equal {budget}"
    return table.assign(line=lines, budget=budget)


# ---- a row per cell ----


def tuned(of: Iterable[Tuned]) -> pd.DataFrame:
    """The best settings of each cell, and the test accuracy that they reach over the seeds."""
    every = list(of)
    return pd.DataFrame([_tuned(one, _rivals(one, every)) for one in every])


def _rivals(one: Tuned, every: Iterable[Tuned]) -> list[Tuned]:
    """The other optimizers at the same batch size and budget."""
    place = one.cell.budget, one.training.batch_size
    return [o for o in every if o is not one and (o.cell.budget, o.training.batch_size) == place]


def _tuned(one: Tuned, rivals: Iterable[Tuned]) -> dict[str, Any]:
    best = one.stands.best
    accuracies = list(one.accuracies.values())
    interval = bootstrap_interval(accuracies) if accuracies else (np.nan, np.nan)
    found: dict[str, Any] = {
        "budget": one.cell.budget,
        "optimizer": one.training.optimizer,
        "batch_size": one.training.batch_size,
        "epochs": one.training.epochs,
        "trials": len(one.trials),
        "diverged": sum(run.status == Status.DIVERGED for run in one.trials),
        "trial_epochs": sum(len(run.metrics) for run in one.trials),
        "decided": one.stands.decided and one.cell.complete,
    }
    if best is not None:
        found |= {
            "best_trial": one.cell.trials.index(best) + 1,
            **{name: getattr(best, name) for name in one.cell.dimensions},
            "edges": "; ".join(edges(one.cell, best)),
            "validation_accuracy": one.validation_accuracy,
        }
    return found | {
        "seeds": len(accuracies),
        "diverged_seeds": sum(run.status == Status.DIVERGED for run in one.finals),
        "test_accuracy_median": float(np.median(accuracies)) if accuracies else np.nan,
        "test_accuracy_min": min(accuracies, default=np.nan),
        "test_accuracy_max": max(accuracies, default=np.nan),
        "test_accuracy_interval_low": interval[0],
        "test_accuracy_interval_high": interval[1],
        "better_than": ", ".join(
            o.training.optimizer for o in rivals if paired(one.accuracies, o.accuracies).is_ahead
        ),
    }


def _ordered(table: pd.DataFrame, *first: str) -> pd.DataFrame:
    return table[[*first, *(name for name in table if name not in first)]]
