"""The worked plan in docs/clusters.md: its table is what its Python prints."""

from __future__ import annotations

import re

import pytest

from tests.support.contributing import REPOSITORY

PLAN = (REPOSITORY / "docs" / "clusters.md").read_text().partition("## A plan")[2]


def test_the_table_of_the_plan_is_what_its_python_prints(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(REPOSITORY)
    program = re.search(r"^```python\n(.*?)^```$", PLAN, re.MULTILINE | re.DOTALL)
    assert program
    exec(compile(program[1], "docs/clusters.md", "exec"), {})  # noqa: S102 - the page's own
    table = capsys.readouterr().out
    assert table.count("\n") > 3 and table in PLAN
