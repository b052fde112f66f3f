"""Formulations of LeNet's layers in DML against each other: dml/bench/formulations.dml."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from largebatch.engine.session import Session
from largebatch.files.names import Argument
from largebatch.files.places import temporary_directory
from largebatch.settings.execution import Execution

ROWS = 512  # of a micro-batch
REPETITIONS = 20


@dataclass(frozen=True)
class Formulation:
    """One way to compute a part: milliseconds of one thread, and its largest difference to the plain way."""

    part: str
    name: str
    milliseconds: float
    difference: float


def compare(execution: Execution, images: int = ROWS, repetitions: int = REPETITIONS) -> list[Formulation]:
    """Time all formulations on a micro-batch of images. Raises RunError if the session fails."""
    found: list[Formulation] = []

    def on_line(line: str) -> None:
        kind, _, rest = line.partition(" ")
        if kind == "formulation":
            part, name, milliseconds, difference = rest.split(" | ")
            found.append(Formulation(part, name, float(milliseconds), float(difference)))

    with (
        temporary_directory("largebatch-bench-") as temporary,
        Session(execution, 1, Path(temporary) / "log.txt") as session,
    ):
        arguments: dict[str, Argument] = {"rows": images, "repetitions": repetitions}
        session.run("bench/formulations.dml", arguments, on_line=on_line)
    return found


def rows(found: list[Formulation]) -> list[list[str]]:
    """The table, headings first; ratios are to the first formulation of a part, the plain one."""
    plain: dict[str, float] = {}
    table = [["part", "formulation", "ms", "ratio", "difference"]]
    for one in found:
        ratio = one.milliseconds / plain.setdefault(one.part, one.milliseconds)
        table.append([one.part, one.name, f"{one.milliseconds:.1f}", f"{ratio:.2f}", f"{one.difference:.0e}"])
    return table
