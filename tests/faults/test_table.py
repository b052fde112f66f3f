"""The table of faults: what failed once is shown as not held."""

from __future__ import annotations

from pathlib import Path

from tests.support.fault_table import rows, table

CASE = """
<testcase name="{name}" time="{time}"><properties><property name="fault" value="{name}"/>
<property name="how" value="a | b"/><property name="promise" value="c"/></properties>{outcome}</testcase>
"""


def xml(file: Path, *outcomes: str) -> Path:
    cases = (CASE.format(name=f"fault {n}", time=n, outcome=text) for n, text in enumerate(outcomes, 1))
    plain = '<testcase name="plain" time="1"/>'
    file.write_text(f"<testsuites><testsuite>{''.join(cases)}{plain}</testsuite></testsuites>")
    return file


def test_what_failed_once_is_not_held(tmp_path: Path) -> None:
    skipped = '<skipped message="only root"/>'
    files = [
        xml(tmp_path / "1.xml", "", "", "<error/>", skipped),
        xml(tmp_path / "2.xml", "", "<failure/>", "", skipped),
    ]
    assert [(row.fault, row.result) for row in rows(files)] == [
        ("fault 1", "held 2 of 2"),
        ("fault 2", "**not held**: held 1 of 2"),
        ("fault 3", "**not held**: held 1 of 2"),
        ("fault 4", "not tried: only root"),
    ]
    assert "| fault 2 | a \\| b | c | **not held**: held 1 of 2 | 2 |\n" in table(files)
