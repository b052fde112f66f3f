"""Reports and comparisons of runs with a validation part, and of runs without a test part."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from largebatch.records.reading import read_study
from largebatch.report import claims, tables
from largebatch.report.compare import compare
from largebatch.report.write import report
from largebatch.settings.training import Training
from tests.support.study_samples import finished_study, metrics

RUNS = [
    Training(optimizer=optimizer, batch_size=size, epochs=3)
    for size in (64, 1024)
    for optimizer in ("sgd_momentum", "lars")
]
TEST = ["test_loss", "test_accuracy"]


def study(path: Path, *, test: bool, validation: bool) -> Path:
    """A study all of whose runs have finished, with these parts beside the training rows."""
    folder = finished_study(path, RUNS)
    for training in RUNS:
        table = metrics(training)
        if validation:
            table.insert(6, "validation_loss", table["test_loss"] + 0.5)
            table.insert(7, "validation_accuracy", table["test_accuracy"] - 0.01)
        if not test:
            table = table.drop(columns=TEST)
        table.to_csv(folder / "runs" / training.name / "metrics.csv", index=False)
    return folder


def written(folder: Path) -> tuple[str, str, str, pd.DataFrame]:
    """Text, Markdown and page of a report, and its table of results."""
    found = report(folder)
    results = pd.read_csv(folder / "results.csv")
    return found.text, (folder / "report.md").read_text(), found.page.read_text(), results


def figures(folder: Path) -> set[str]:
    return {file.stem for file in (folder / "figures").glob("*.svg")}


def test_without_a_validation_part_nothing_is_said_of_one(tmp_path: Path) -> None:
    folder = study(tmp_path / "study", test=True, validation=False)
    text, markdown, page, results = written(folder)
    assert not {"validation_accuracy", "validation_loss"} & set(results)
    for words in ("validation accuracy", "validation loss"):
        assert words not in (text + markdown + page).lower()
    assert "validation-accuracy" not in figures(folder)


def test_a_validation_part_is_shown_beside_the_others(tmp_path: Path) -> None:
    folder = study(tmp_path / "study", test=True, validation=True)
    text, markdown, page, results = written(folder)
    expected = [metrics(t)["test_accuracy"].iloc[-1] - 0.01 for t in RUNS]
    assert results["validation_accuracy"].tolist() == pytest.approx(expected, abs=1e-15)
    assert {"test-accuracy", "validation-accuracy", "train-accuracy", "generalization-error"} < figures(
        folder
    )
    assert "Best test accuracy" in text, "lines are compared by the test part"
    assert "Validation accuracy against batch size" in markdown
    assert "validation loss" in page


def test_without_a_test_part_lines_are_compared_by_validation(tmp_path: Path) -> None:
    folder = study(tmp_path / "study", test=False, validation=True)
    text, markdown, page, results = written(folder)
    assert results[["test_accuracy", "test_loss", "generalization_error"]].isna().all(axis=None)
    assert results["train_accuracy"].notna().all()
    assert not {"test-accuracy", "generalization-error"} & figures(folder)
    assert {"validation-accuracy", "train-accuracy", "epoch-time"} < figures(folder)
    assert "Best validation accuracy" in text and "\nValidation accuracy\n" in text
    assert "test accuracy" not in text.partition("The paper's claims")[0].lower()
    assert "Validation accuracy after fewer epochs" in markdown
    assert "<h3>Validation accuracy</h3>" in page
    assert "nan" not in text + markdown


@pytest.mark.usefixtures("undrawn")
def test_without_both_they_are_compared_by_the_training_rows(tmp_path: Path) -> None:
    folder = study(tmp_path / "study", test=False, validation=False)
    text, markdown, _, _ = written(folder)
    assert "Best train accuracy" in text and "Train accuracy after fewer epochs" in markdown
    assert "nan" not in text + markdown


def test_claims_about_a_test_part_that_is_not_there_are_not_measured(tmp_path: Path) -> None:
    record = read_study(study(tmp_path / "study", test=False, validation=True))
    cells = tables.cells(tables.results(record))
    judged = claims.judge(cells, "SGD with momentum", "LARS")
    assert [claim.verdict for claim in judged] == [claims.NOT_MEASURED] * 7


@pytest.mark.usefixtures("undrawn")
def test_studies_of_which_some_runs_lack_a_part(tmp_path: Path) -> None:
    folder = study(tmp_path / "study", test=True, validation=False)
    file = folder / "runs" / RUNS[-1].name / "metrics.csv"
    pd.read_csv(file).drop(columns=TEST).to_csv(file, index=False)
    text, _, page, results = written(folder)
    assert results["test_accuracy"].isna().tolist() == [False, False, False, True]
    line = next(line for line in text.splitlines() if line.startswith("1024"))
    assert line.split()[-1] == "\N{EN DASH}"
    assert "nan" not in text and ">nan" not in page


def test_runs_are_compared_in_all_parts_that_one_of_them_has(tmp_path: Path) -> None:
    both = study(tmp_path / "both", test=True, validation=True) / "runs" / RUNS[0].name
    alone = study(tmp_path / "alone", test=False, validation=False) / "runs" / RUNS[0].name
    found = {name: (a, b) for name, a, b in compare(both, alone).results}
    assert found["validation_accuracy"][0] is not None
    assert found["validation_accuracy"][1] is found["test_accuracy"][1] is None
    assert found["train_accuracy"][0] == found["train_accuracy"][1]
    assert "validation_accuracy" not in {name for name, *_ in compare(alone, alone).results}


def test_studies_without_a_test_part_have_no_difference_in_it(tmp_path: Path) -> None:
    a, b = (study(tmp_path / name, test=False, validation=False) for name in "ab")
    found = compare(a, b)
    assert found.to_mapping()["largest_test_accuracy_difference"] is None
    assert found.identical and "nan" not in found.text()
