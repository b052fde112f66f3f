"""Studies: which runs a TOML file asks for. Pure.

name = "small"                        [fixed]         settings that all runs share
title = "What it is about"            epochs = 5
description = "..."                   [execution]     how they are run, unless the command line says
fallback = "digits"                   mode = "local"
                                      [[grid]]        every combination of the lists' values;
(only name is required)               optimizer = ["lars", "sgd"]
                                      batch_size = [64, 128]
[tune]                                how settings are chosen: TuneSettings
trials = 8
[space.lars]                          a setting's range or values; by default tuning/spaces.toml
learning_rate = { low = 0.1, high = 10, scale = "log" }
"""

from __future__ import annotations

import itertools
import math
import re
import tomllib
import typing
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from largebatch.data import SOURCES
from largebatch.data.paths import is_path
from largebatch.errors import UserError
from largebatch.files.names import NAME
from largebatch.files.safe import check_sound
from largebatch.settings.execution import Execution
from largebatch.settings.study import Study, run_name
from largebatch.settings.training import Training
from largebatch.settings.tuning import Tuning
from largebatch.settings.values import declared
from largebatch.studies.complaints import Complaints, without_flags
from largebatch.studies.toml_lines import locate
from largebatch.studies.tuning_parser import TuningParser
from largebatch.tuning.space import NOT_TUNED

MAX_RUNS = 1000
_TEXTS = ("name", "title", "description", "fallback")
_TABLES = ("fixed", "execution", "grid", "tune", "space")


def parse(text: str, source: str) -> Study:
    """The study that a text in TOML describes. Raises UserError that names `source` and the line."""
    try:
        document = tomllib.loads(text)
        check_sound(document)
    except RecursionError:
        raise UserError(f"{source} is no study: it is nested too deeply") from None
    except ValueError as error:  # tomllib's own, and those of numbers
        raise UserError(f"{source} is not TOML: {error}{_typography(text, str(error))}") from error
    return _Parser(document, Complaints(locate(text), source)).study()


def _typography(text: str, error: str) -> str:
    """What may be wrong with the line that an error of syntax names: marks of a word processor."""
    number = re.search(r"at line (\d+)", error)
    line = text.splitlines()[int(number[1]) - 1 :][:1] if number else []
    odd = [c for c in "\u201c\u201d\u201e\u2018\u2019\u00a0" if c in "".join(line)]
    return f"; the line has {odd[0]!r} in it: type a plain quote or space" if odd else ""


@dataclass(frozen=True)
class _Parser:
    document: dict[str, Any]
    complaints: Complaints

    def study(self) -> Study:
        self._check_top()
        execution = self._table("execution")
        self.complaints.check_names("execution", 0, execution, Execution)
        self.complaints.guarded("execution", 0, Execution.from_mapping, execution)
        runs = self._runs()
        fallback = self.document.get("fallback")
        if fallback is not None and len({run.dataset for run in runs}) > 1:
            self.complaints.refuse("", 0, "fallback", "a fallback is for studies of one data set")
        name, tuning = self.document["name"], self._tuning(runs)
        return Study(
            name=name,
            title=self.document.get("title", name),
            description=" ".join(self.document.get("description", "").split()),
            runs=tuple(sorted(runs, key=lambda r: (r.workers, r.dataset, r.batch_size, r.seed))),
            execution=self._with_target(execution, tuning),
            fallback=fallback,
            tuning=tuning,
        )

    def _with_target(self, execution: dict[str, Any], tuning: Tuning | None) -> dict[str, Any]:
        """[execution], with the target that [tune] names."""
        if tuning is None or not tuning.settings.target:
            return execution
        if "target_accuracy" in execution:
            words = "target_accuracy of [execution] is the same setting: leave out one of them"
            self.complaints.refuse("tune", 0, "target", f"target and {words}")
        return {**execution, "target_accuracy": list(tuning.settings.target)}

    def _tuning(self, runs: list[Training]) -> Tuning | None:
        """What [tune] and [space.OPTIMIZER] say; None without [tune]."""
        if "tune" not in self.document:
            if "space" in self.document:
                self.complaints.refuse("space", 0, "", "a space needs a table [tune]")
            return None
        if "fallback" in self.document:
            self.complaints.refuse("", 0, "fallback", "a fallback is for studies without [tune]")
        tables = self._table("tune"), self._table("space")
        return TuningParser(*tables, runs, self._taken, self.complaints).tuning()

    def _taken(self, optimizer: str) -> set[str]:
        """The settings that [fixed] and the grids give the runs of an optimizer."""
        grids = {
            number: grid
            for number, grid in enumerate(self._grids())
            if optimizer in _values("optimizer", grid.get("optimizer", optimizer))
        }
        for number, grid in grids.items():
            for key in grid:
                if key not in NOT_TUNED and not all(key in other for other in grids.values()):
                    words = (
                        f"{key} is given to some runs of {optimizer} only: give it to all of them, or to none"
                    )
                    self.complaints.refuse("grid", number, key, words)
        return {key for table in (self._table("fixed"), *grids.values()) for key in table}

    def _check_top(self) -> None:
        for key in self.document:
            if key not in (*_TEXTS, *_TABLES):
                self.complaints.refuse(
                    "", 0, key, f"unknown field {key}; there are {', '.join((*_TEXTS, *_TABLES))}"
                )
        for key in _TEXTS:
            if not isinstance(self.document.get(key, ""), str):
                self.complaints.refuse("", 0, key, f"{key} must be a text in quotes")
        name = self.document.get("name", "")
        if not NAME.fullmatch(name):
            self.complaints.refuse(
                "", 0, "name", f"name {name!r} must be letters, digits, '.', '_' and '-', 64 at most"
            )
        if self.document.get("fallback", "mnist") not in SOURCES:
            self.complaints.refuse("", 0, "fallback", f"fallback must be one of {', '.join(SOURCES)}")

    def _table(self, name: str) -> dict[str, Any]:
        table = self.document.get(name, {})
        if not isinstance(table, dict):
            self.complaints.refuse(name, 0, "", f"{name} must be a table: [{name}]")
        return table

    def _grids(self) -> list[dict[str, Any]]:
        grids = self.document.get("grid")
        if not isinstance(grids, list) or not grids or not all(isinstance(grid, dict) for grid in grids):
            self.complaints.refuse("grid", 0, "", "a study needs at least one table [[grid]]")
        return grids

    def _runs(self) -> list[Training]:
        fixed = self._table("fixed")
        self.complaints.check_names("fixed", 0, fixed, Training)
        grids = self._grids()
        found: dict[str, Training] = {}
        for number, grid in enumerate(grids):
            self._check_grid(number, grid, fixed, len(found))
            for point in _product(grid):
                training = self.complaints.guarded("grid", number, Training.from_mapping, fixed | point)
                self._check_run(number, training, found)
                self._check_belongings(number, training, grid)
                found[run_name(training)] = training
        self._check_fixed(fixed, found.values())
        return list(found.values())

    def _check_grid(self, number: int, grid: dict[str, Any], fixed: dict[str, Any], before: int) -> None:
        self.complaints.check_names("grid", number, grid, Training)
        for key, value in grid.items():
            if key in fixed:
                self.complaints.refuse(
                    "grid", number, key, f"{key} is in [fixed] too; it can be in one place only"
                )
            if value == []:
                self.complaints.refuse("grid", number, key, f"{key} has no values")
        runs = before + math.prod(len(_values(key, value)) for key, value in grid.items())
        if runs > MAX_RUNS:
            self.complaints.refuse("grid", number, "", f"this makes {runs} runs; {MAX_RUNS} are the most")

    def _check_run(self, number: int, training: Training, before: dict[str, Training]) -> None:
        if training.dataset not in SOURCES and not is_path(training.dataset):
            there = ", ".join(SOURCES)
            self.complaints.refuse(
                "grid", number, "dataset", f"there is no data set {training.dataset!r}; there are {there}"
            )
        if run_name(training) in before:
            self.complaints.refuse("grid", number, "", f"the run {run_name(training)} is asked for twice")

    def _check_belongings(self, number: int, training: Training, grid: dict[str, Any]) -> None:
        """A grid's settings must count for all its runs: values that don't would give equal runs."""
        for key in grid:
            if foreign := training.foreign(key):
                mend = "leave it out, or put it into a [[grid]] of its own"
                self.complaints.refuse("grid", number, key, f"{without_flags(foreign)}: {mend}")

    def _check_fixed(self, fixed: dict[str, Any], runs: Collection[Training]) -> None:
        """What is fixed must count for one run at least; others keep it unused."""
        for key in fixed:
            foreign = [run.foreign(key) for run in runs]
            if all(foreign):
                self.complaints.refuse("fixed", 0, key, f"{without_flags(foreign[0])}: leave it out")


def _values(key: str, value: Any) -> list[Any]:
    """The values that a grid gives a setting. A setting that is a list itself needs a list of lists."""
    if typing.get_origin(declared(Training)[key].kind) is tuple:
        several = isinstance(value, list) and all(isinstance(v, list) for v in value)
    else:
        several = isinstance(value, list)
    return list(value) if several else [value]


def _product(grid: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for values in itertools.product(*(_values(key, value) for key, value in grid.items())):
        yield dict(zip(grid, values, strict=True))
