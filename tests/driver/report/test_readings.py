"""Readings of what the paper leaves open: which there are, which is the best, how they are shown."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from largebatch.errors import UserError
from largebatch.records.reading import read_study
from largebatch.report import readings, summary, tables
from largebatch.report.claims import NOT_MEASURED, NOT_REPRODUCED, PARTLY, REPRODUCED
from largebatch.report.readings import Reading
from largebatch.report.write import report
from largebatch.settings.training import Training
from tests.support.study_samples import study

TRAININGS = [
    Training(optimizer=optimizer, batch_size=size, epochs=5, initialization=start)
    for optimizer in ("sgd_momentum", "lars")
    for size in (1024, 8000, 16000, 28000, 32000)
    for start in ("he_normal", "uniform_fan_in")
]


def reading(epochs: int, *verdicts: str, start: str = "he") -> Reading:
    return Reading(f"SGD {start}", f"LARS {start}", epochs, verdicts)


def test_a_reading_is_what_the_study_cut_there_says(tmp_path: Path) -> None:
    record = read_study(study(tmp_path, *TRAININGS))
    found = readings.readings(record)
    assert [(r.epochs, "uniform" in r.sgd, "uniform" in r.lars) for r in found] == [
        (epoch, uniform, uniform) for epoch in range(1, 6) for uniform in (False, True)
    ]
    for epoch in (1, 3, 5):
        cut = record.after(epoch)
        pairs = summary.compare_with_paper(cut, tables.results(cut))
        verdicts = [tuple(claim.verdict for claim in pair.claims) for pair in pairs]
        assert [r.verdicts for r in found if r.epochs == epoch] == verdicts
    assert len({r.verdicts for r in found}) > 1, "the epochs must matter, or this shows nothing"


def test_no_half_run_is_a_reading_where_the_rate_depends_on_the_epochs(tmp_path: Path) -> None:
    trainings = [
        Training(optimizer=optimizer, batch_size=1024, epochs=3, schedule="polynomial")
        for optimizer in ("sgd_momentum", "lars")
    ]
    assert readings.readings(read_study(study(tmp_path, *trainings))) == []


def test_the_best_reproduces_most_then_most_in_part_then_soonest() -> None:
    few = reading(1, REPRODUCED, NOT_REPRODUCED, NOT_REPRODUCED)
    partly = reading(2, REPRODUCED, PARTLY, NOT_REPRODUCED)
    later = reading(3, REPRODUCED, PARTLY, NOT_REPRODUCED)
    most = reading(4, REPRODUCED, REPRODUCED, NOT_REPRODUCED)
    assert readings.best([few, later, partly]) == partly
    assert readings.best([few, later, partly, most]) == most
    assert readings.best([reading(1, NOT_MEASURED, NOT_MEASURED)]) is None
    (sentence,) = readings.sentence([few, most])
    assert sentence.endswith("reproduces 2 of 3 claims: LARS he against SGD he, epoch 4.")
    assert readings.sentence([few]) == []
    assert readings.sentence([reading(1, PARTLY), reading(2, PARTLY)]) == []


def test_epochs_with_equal_verdicts_share_a_row() -> None:
    found = [
        reading(epoch, verdict, start=start)
        for epoch, verdict in ((1, PARTLY), (2, PARTLY), (3, REPRODUCED), (4, PARTLY))
        for start in ("he", "uniform")
    ]
    rows = readings.shown(found)
    assert rows[0] == ["lines", "epochs", "claim 1", "reproduced"]
    assert rows[1:4] == [
        ["LARS he against SGD he", "1 to 2", PARTLY, "0"],
        ["LARS he against SGD he", "3", REPRODUCED, "1"],
        ["LARS he against SGD he", "4", PARTLY, "0"],
    ]
    assert [row[0] for row in rows[4:]] == ["LARS uniform against SGD uniform"] * 3


@pytest.mark.usefixtures("undrawn")
def test_a_report_shows_its_readings_and_writes_them_down(tmp_path: Path) -> None:
    folder = study(tmp_path, *TRAININGS)
    assert "Of 10 readings of what the paper leaves open" in report(folder).text
    written = pd.read_csv(folder / "readings.csv")
    assert len(written) == 10
    assert [f"claim_{number}" for number in range(1, 8)] == list(written.columns[4:])
    assert "## Readings of what the paper leaves open" in (folder / "report.md").read_text()
    assert 'id="readings"' in (folder / "report.html").read_text()


@pytest.mark.usefixtures("undrawn")
def test_a_report_of_some_runs_and_one_epoch(tmp_path: Path) -> None:
    folder, out = study(tmp_path / "study", *TRAININGS), tmp_path / "out"
    only = {"initialization": ["uniform_fan_in"], "batch_size": ["1024", "8000"]}
    report(folder, out, 2, only)
    results = pd.read_csv(out / "results.csv")
    assert len(results) == 4
    assert set(results["initialization"]) == {"uniform_fan_in"}
    command = "--epoch 2 --only initialization=uniform_fan_in --only batch_size=1024,8000"
    assert command in (out / "report.md").read_text()
    assert not (out / "readings.csv").exists(), "one epoch is one reading"
    with pytest.raises(UserError, match=r"no run of .* has it"):
        report(folder, out, only={"batch_size": ["7"]})
