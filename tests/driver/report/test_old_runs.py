"""Reports and comparisons of folders that the version before has made: they say what that version said."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from largebatch.records.run_folder import RunFolder
from largebatch.report.compare import compare
from largebatch.report.write import report
from tests.support.old_runs import OLD, old
from tests.support.outcomes import status


def said(name: str) -> str:
    return (OLD / "said" / name).read_text()


def test_the_report_of_a_study(tmp_path: Path) -> None:
    written = report(old("studies/small", tmp_path / "small"), tmp_path / "out")
    assert written.text + "\n\nout/report.html\n" == said("report.txt")
    for name in ("results.csv", "epochs.csv"):
        before = pd.read_csv(OLD / "said" / name)
        found = pd.read_csv(tmp_path / "out" / name)
        pd.testing.assert_frame_equal(found[list(before)], before, check_exact=True)


def test_the_comparison_of_two_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("finished", "softmax"):
        old(f"runs/{name}", tmp_path / "runs" / name)
    monkeypatch.chdir(tmp_path)
    found = compare(Path("runs/finished"), Path("runs/softmax"))
    assert sorted(found.text().splitlines()) == sorted(said("compare.txt").splitlines())  # other order
    assert found.to_mapping() == json.loads(said("compare.json"))


def test_the_comparison_of_two_studies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old("studies/small", tmp_path / "studies" / "small")
    monkeypatch.chdir(tmp_path)
    found = compare(Path("studies/small"), Path("studies/small"))
    assert found.text() + "\n" == said("compare-studies.txt")


def test_a_run_that_was_killed_has_no_result_yet(tmp_path: Path) -> None:
    run = RunFolder(old("runs/softmax", tmp_path / "run"))
    assert status(run) is None
    assert run.last_epoch() == 2
    assert len(run.metrics()) == 1, "killed between the manifest and the row"
    assert json.loads((run.path / "config.json").read_text())["training"]["optimizer"] == "lars"
