"""A few rows of the table, and how it is written; scripts/environments.sh tries all rows."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.environments import table
from tests.environments.rows import ROWS, Row
from tests.environments.trial import Came, Stage, try_out

FIRST = ROWS[0]


def row(kind: str, name: str) -> Row:
    (found,) = (row for row in ROWS if row.kind == kind and name in row.name)
    return found


def test_there_are_many_surroundings_and_no_two_are_equal() -> None:
    assert len({(row.kind, row.name) for row in ROWS}) == len(ROWS) >= 40
    assert {row.kind for row in ROWS} >= {
        "locale",
        "notebook",
        "limit",
        "user",
        "host",
        "pause",
        "matplotlibrc",
    }


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """A stage that other users can enter: pytest's own folders for temporary files are closed to them."""
    with tempfile.TemporaryDirectory(prefix="largebatch-surroundings-") as folder:
        Path(folder).chmod(0o755)
        yield Stage.prepared(Path(folder) / "stage")


@pytest.mark.slow
def test_a_report_in_a_notebook_with_a_matplotlibrc_is_the_same(stage: Stage) -> None:
    notebook, latex = row("notebook", "module://"), row("matplotlibrc", "usetex")
    both = Row("-", "-", {**notebook.variables, **latex.variables}, files=latex.files)
    for each in (FIRST, both):
        came = try_out(stage, each, "report")
        assert came.right, came


@pytest.mark.slow
@pytest.mark.systemds
def test_a_training_in_turkish_by_a_user_without_name_and_home_is_the_same(stage: Stage) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become a user without a name")
    nameless, turkish = row("user", "env -u HOME"), row("locale", "-Duser.language=tr")
    both = Row("-", "-", {**nameless.variables, **turkish.variables}, nameless.prefix)
    for each in (FIRST, both):
        came = try_out(stage, each, "train")
        assert came.right, came


def test_the_table_has_a_row_for_each_and_a_dash_where_nothing_was_called(tmp_path: Path) -> None:
    outcomes = [{"train": Came(True, "works|fine")} for _ in ROWS]
    text = table.table(outcomes)
    assert text.startswith(table.HEADING)
    assert text.count("\n| ") == len(ROWS) + 2
    assert "| - | nothing special | works\\|fine | - | - | - |" in text
