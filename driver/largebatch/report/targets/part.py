"""The section of a report about targets: its sentences, table, and figures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from largebatch.records.reading import StudyRecord
from largebatch.report.parts import Part, Table
from largebatch.report.targets import steps
from largebatch.report.targets.steps import knee, paying


@dataclass(frozen=True)
class Targets:
    """Steps of a study's runs to its targets, and their medians; both empty without targets."""

    steps: pd.DataFrame
    medians: pd.DataFrame

    @classmethod
    def of(cls, study: StudyRecord) -> Targets:
        """For the targets that the study names."""
        table = steps.steps(study, steps.targets(study))
        return cls(table, steps.medians(table))

    def knees(self) -> Mapping[str, int | None]:
        """The knee of each line, for the highest target at which it has one."""
        found: dict[str, int | None] = {}
        for (_, line), part in self.medians.groupby(["target", "line"]):
            at = knee(part)
            found[str(line)] = at if at is not None else found.get(str(line))
        return found

    def part(self, budget: str = "") -> list[Part]:
        """The section; nothing without targets. That of a further budget has its name, and no figures."""
        if self.medians.empty:
            return []
        parts = ", ".join(sorted(set(self.steps["part"]) - {""}))
        text = (
            f"Updates until the accuracy on the {parts} part was first as high: the median over the seeds, "
            "and how many of the runs reached it. A run that did not counts as infinitely many."
        )
        by, drawn = (f" by {budget}", ()) if budget else ("", ("targets",))
        tables = [Table(f"Updates to a target{by}", text, self._rows())]
        name = "-".join(["steps", *budget.split()])
        return [Part(name, f"Steps to a target{by}", self._sentences(), tables, figures=drawn)]

    def _sentences(self) -> list[str]:
        """A sentence per line: about the highest target of which most is known; or that it reached none."""
        found: dict[str, tuple[int, str]] = {}
        for (target, line), part in self.medians.groupby(["target", "line"]):
            known = _known(part)
            if str(line) not in found or 0 < known >= found[str(line)][0]:
                found[str(line)] = known, self._knee(line, float(str(target)), part)
        return [sentence for _, sentence in found.values()]

    def _knee(self, line: object, target: float, part: pd.DataFrame) -> str:
        share = f"{100 * target:g}%"
        if not part["reached"].any():
            return f"{line} never reaches {share}."
        found = paying(part)
        if found is None:
            return f"{line} to {share}: reached by less than half of the runs at each batch size."
        if len(part) == 1:
            return f"{line} to {share}: only batch size {found.largest} was tried."
        if found.knee is not None:
            words = f"beyond batch size {found.knee} a run takes more than twice the fewest examples"
        elif found.unknown:
            words = (
                f"up to batch size {found.largest} a run takes at most twice the fewest examples; runs at "
                f"{found.unknown[0]} ended too early to tell"
            )
        else:
            words = f"larger batches pay up to the largest one, {found.largest}"
        return f"{line} to {share}: {words}."

    def _rows(self) -> list[list[str]]:
        lines = list(dict.fromkeys(self.medians["line"]))
        rows = [["target", "batch size", *lines]]
        for (target, size), group in self.medians.groupby(["target", "batch_size"]):
            of_line = group.set_index("line")
            cells = [_cell(of_line.loc[line]) if line in of_line.index else "" for line in lines]
            rows.append([f"{100 * float(str(target)):g}%", str(size), *cells])
        return rows


def _known(part: pd.DataFrame) -> int:
    """How much is known of a line and target: 3 how far larger batches pay, 2, 1 less, 0 nothing."""
    far = paying(part)
    if far is None:
        return int(part["reached"].any())
    return 3 if far.knee is not None or not far.unknown else 2


def _cell(row: pd.Series[Any]) -> str:
    missed = "not by half" if row["reached"] else "never"
    steps_taken = missed if math.isinf(row["updates"]) else f"{row['updates']:.0f}"
    return f"{steps_taken} ({row['reached']:.0f} of {row['runs']:.0f})"
