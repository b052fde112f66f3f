"""Tries all surroundings, and writes their table into docs/reliability.md.

Called as python -m tests.environments.table FOLDER [COMMAND...] [NUMBER...]. What came of a command is kept
in FOLDER, where another call goes on. Commands and numbers of rows choose what is tried.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.environments.rows import ROWS
from tests.environments.trial import COMMANDS, Came, Stage, concerned, try_out

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
HEADING = "## Surroundings"
HEAD = f"""\
{HEADING}

Written by `scripts/environments.sh`. Every row is a kind of surroundings in which four commands were called:
a training on 240 images of 8 x 8, the report of a study, `doctor`, and `predict`. Each works, and its results
equal those of the first row to the last bit, or it ends with the sentence in the table. None shows a stack.

| kind | surroundings | train | report | doctor | predict |
| --- | --- | --- | --- | --- | --- |
"""

Outcome = dict[str, Came]


def main(folder: Path, commands: Sequence[str], numbers: Sequence[int]) -> int:
    """Try what was not tried yet, and write the table. Status 1 if something is not right."""
    home = folder / "stage"
    stage = Stage(home) if home.exists() else Stage.prepared(home)
    for number in numbers:
        for command in commands:
            kept = folder / f"{number}-{command}.json"
            if command in concerned(ROWS[number]) and not kept.exists():
                came = try_out(stage, ROWS[number], command)
                kept.write_text(json.dumps(vars(came)))
                if not came.right:
                    print(f"{number}, {ROWS[number].name}, {command}: {came.words}", flush=True)
    outcomes = [read(folder, number) for number in range(len(ROWS))]
    before = PAGE.read_text().partition(HEADING)[0].rstrip()
    PAGE.write_text(f"{before}\n\n{table(outcomes)}")
    return int(any(not each.right for outcome in outcomes for each in outcome.values()))


def read(folder: Path, number: int) -> Outcome:
    """What came of the commands of a row, as far as they were tried."""
    found = {}
    for command in concerned(ROWS[number]):
        file = folder / f"{number}-{command}.json"
        came = json.loads(file.read_text()) if file.exists() else vars(Came(True, "not tried"))
        found[command] = Came(**came)
    return found


def table(outcomes: Sequence[Outcome]) -> str:
    """The section of the page."""
    lines = []
    for row, outcome in zip(ROWS, outcomes, strict=True):
        words = [outcome[name].words if name in outcome else "-" for name in COMMANDS]
        cells = (row.kind, row.name, *words)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    root, *words = sys.argv[1:]
    chosen = [int(word) for word in words if word.isdecimal()]
    named = [word for word in words if word in COMMANDS]
    sys.exit(main(Path(root), named or COMMANDS, chosen or range(len(ROWS))))
