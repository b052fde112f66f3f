"""report.md: what it links to is there, its tables are whole, and data can't pass for Markdown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from largebatch.report.write import report
from largebatch.settings.training import Training
from tests.support.study_samples import finished_study, write_study

SIZES = (1024, 8000, 16000, 28000, 32000)


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a report on a study that has all that the claims need."""
    trainings = [
        Training(optimizer=optimizer, batch_size=size, epochs=5)
        for size in SIZES
        for optimizer in ("sgd_momentum", "lars")
    ]
    folder = finished_study(tmp_path_factory.mktemp("study"), trainings)
    report(folder)
    return folder


@pytest.fixture
def text(reported: Path) -> str:
    """Its report.md."""
    return (reported / "report.md").read_text()


def test_links_lead_to_files_of_the_report(text: str, reported: Path) -> None:
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert {"results.csv", "epochs.csv", "report.html", "figures/test-accuracy.svg"} <= set(links)
    for link in links:
        assert (reported / link).is_file(), link


def test_rows_of_a_table_have_equally_many_cells(text: str) -> None:
    tables = [part.splitlines() for part in text.split("\n\n") if part.startswith("|")]
    assert len(tables) == 4
    for table in tables:
        cells = [len(re.split(r"(?<!\\)\|", line)) for line in table]
        assert len(set(cells)) == 1, table
    assert [line.split(" | ")[0] for line in tables[0][2:]] == [f"| {size}" for size in SIZES]


def test_every_claim_has_a_verdict(text: str) -> None:
    claims = re.findall(r"^\| (\d) \| .* \| \*\*(.+?)\*\* \| ", text, flags=re.MULTILINE)
    assert [number for number, _ in claims] == list("1234567")
    assert {verdict for _, verdict in claims} <= {"reproduced", "partly reproduced", "not reproduced"}


def test_a_title_is_not_taken_for_markdown(tmp_path: Path) -> None:
    write_study(tmp_path, [Training(epochs=1)], title="<b>[a](b)</b> | `c` *d*")
    report(tmp_path)
    assert (tmp_path / "report.md").read_text().startswith(r"# \<b\>\[a\](b)\</b\> \| \`c\` \*d\*")
