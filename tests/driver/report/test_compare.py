"""Comparisons of runs and of studies."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from largebatch.errors import UserError
from largebatch.report.compare import Runs, Studies, compare
from largebatch.settings.execution import Execution
from largebatch.settings.study import run_name
from largebatch.settings.training import Training
from tests.support.study_samples import EXECUTION, finished_study, metrics, write_run, write_study
from tests.support.tables import read_csv
from tests.support.tuned import base, cell, write_tuned

LARS = Training(batch_size=1024, epochs=3)
SGD = Training(optimizer="sgd_momentum", batch_size=1024, epochs=3)


def runs(a: Path, b: Path) -> Runs:
    found = compare(a, b)
    assert isinstance(found, Runs)
    return found


def studies(a: Path, b: Path) -> Studies:
    found = compare(a, b)
    assert isinstance(found, Studies)
    return found


def change(run: Path, column: str, epoch: int) -> None:
    """Alter a number of metrics.csv in the last bit that counts."""
    table = read_csv(run / "metrics.csv")
    table.loc[epoch - 1, column] *= 1 + 2**-52
    table.to_csv(run / "metrics.csv", index=False)


# ---- runs ----


def test_equal_runs_are_identical_whatever_time_they_took(tmp_path: Path) -> None:
    a, b = (write_run(tmp_path / name, LARS).path for name in "ab")
    for column in ("seconds", "evaluation_seconds", "images_per_second"):
        change(b, column, 1)
    found = runs(a, b)
    assert (found.identical, found.settings, found.versions) == (True, (), ())
    assert found.text().endswith("Results are identical, times aside.")
    assert "Settings: no difference" in found.text()


@pytest.mark.parametrize("column", ["test_accuracy", "train_loss", "conv1_trust_ratio"])
def test_one_bit_is_a_difference(tmp_path: Path, column: str) -> None:
    a, b = (write_run(tmp_path / name, LARS).path for name in "ab")
    change(b, column, 2)
    found = runs(a, b)
    assert (found.identical, found.first_epoch) == (False, 2)
    assert found.text().endswith("Results differ from epoch 2 on.")


def test_a_run_that_is_not_through_differs_from_the_epoch_it_lacks(tmp_path: Path) -> None:
    a = write_run(tmp_path / "a", LARS).path
    b = write_run(tmp_path / "b", LARS, status=None, epochs=2).path
    found = runs(a, b)
    assert found.first_epoch == 3
    assert {name: (x, y) for name, x, y in found.results}["status"] == ("finished", "unfinished")


def test_runs_of_different_networks(tmp_path: Path) -> None:
    a = write_run(tmp_path / "a", LARS).path
    b = write_run(tmp_path / "b", Training(network="softmax", batch_size=1024, epochs=3)).path
    assert runs(a, b).first_epoch == 1


def test_settings_and_versions_that_differ(tmp_path: Path) -> None:
    a = write_run(tmp_path / "a", LARS)
    b = write_run(tmp_path / "b", SGD, execution=Execution(mode="spark", memory="1g"))
    b.write_versions({"largebatch": "0.2.0"})
    values = json.loads(json.dumps(runs(a.path, b.path).to_mapping()))
    assert values["settings"] == {
        "optimizer": {"a": "lars", "b": "sgd_momentum"},
        "learning_rate": {"a": 1.0, "b": 0.01},
        "mode": {"a": "local", "b": "spark"},
    }
    assert values["versions"]["largebatch"] == {"a": "0.1.0", "b": "0.2.0"}
    assert values["versions"]["cores"] == {"a": 2, "b": None}
    assert values["results"]["test_accuracy"] == {
        "a": metrics(LARS)["test_accuracy"].iloc[-1],
        "b": metrics(SGD)["test_accuracy"].iloc[-1],
    }
    assert (values["identical"], values["first_epoch_that_differs"]) == (False, 1)


def test_the_text_of_two_runs(tmp_path: Path) -> None:
    a = write_run(tmp_path / "a", LARS).path
    b = write_run(tmp_path / "b", LARS, "failed", 0, reason="no heap").path
    lines = [re.sub("  +", "  ", text) for text in runs(a, b).text().splitlines()]
    accuracy = metrics(LARS)["test_accuracy"].iloc[-1]
    assert f"A  {a}" in lines
    assert "Versions: no difference" in lines
    assert f"test accuracy  {accuracy:.2%}  -" in lines
    assert "status  finished  failed" in lines
    assert "reason  -  no heap" in lines


# ---- studies ----


def test_a_study_is_identical_to_itself(tmp_path: Path) -> None:
    folder = finished_study(tmp_path, [LARS, SGD])
    found = studies(folder, folder)
    assert found.identical
    assert found.text().endswith("Results are identical, times aside.")


def test_runs_are_matched_by_what_varies(tmp_path: Path) -> None:
    grid = [
        Training(optimizer=o, batch_size=b, epochs=2) for o in ("lars", "sgd_momentum") for b in (512, 1024)
    ]
    literal = [
        Training(optimizer=t.optimizer, batch_size=t.batch_size, epochs=2, learning_rate=0.01) for t in grid
    ]
    a, b = finished_study(tmp_path / "a", grid), finished_study(tmp_path / "b", literal)
    change(b / "runs" / run_name(literal[1]), "test_accuracy", 2)
    found = studies(a, b)
    assert [(d.name, d.a, d.b) for d in found.settings] == [("learning_rate", "1", "0.01")]
    assert [pair.runs.identical for pair in found.pairs] == [True, False, True, True]
    assert (found.only_a, found.only_b, found.identical) == ((), (), False)
    assert found.largest is found.pairs[1]
    assert "optimizer lars, batch size 1024, seed 1" in found.text().splitlines()[-1]
    assert "3 of 4 pairs of runs are identical, times aside." in found.text()


def test_several_settings_at_one_place_of_the_grid_are_matched_too(tmp_path: Path) -> None:
    grid = [Training(batch_size=512, epochs=epochs, learning_rate=r) for epochs in (1, 2) for r in (1.0, 2.0)]
    found = studies(finished_named(tmp_path / "a", grid), finished_named(tmp_path / "b", grid[::-1]))
    assert found.identical
    assert found.pairs[0].settings == "learning rate 1, epochs 1"


def finished_named(path: Path, trainings: list[Training]) -> Path:
    """A finished study whose runs are named by number, as their settings give some the same name."""
    entries = [
        {"name": f"r{i}", "folder": f"runs/r{i}", "training": t.to_mapping()} for i, t in enumerate(trainings)
    ]
    write_study(path, trainings, runs=entries)
    for entry, training in zip(entries, trainings, strict=True):
        write_run(path / str(entry["folder"]), training)
    return path


def test_runs_without_a_counterpart_are_named(tmp_path: Path) -> None:
    other = Training(batch_size=2048, epochs=3)
    a, b = finished_study(tmp_path / "a", [LARS, SGD]), finished_study(tmp_path / "b", [LARS, other])
    found = studies(a, b)
    assert (found.only_a, found.only_b) == ((SGD.name,), (other.name,))
    assert f"Only in A: {SGD.name}" in found.text()
    assert not found.identical


def test_runs_that_have_no_result_have_no_difference(tmp_path: Path) -> None:
    a, b = finished_study(tmp_path / "a", [LARS, SGD]), write_study(tmp_path / "b", [LARS, SGD])
    found = studies(a, b)
    assert found.largest is None
    assert found.settings == ()
    values = json.loads(json.dumps(found.to_mapping()))
    assert [run["test_accuracy_difference"] for run in values["runs"]] == [None, None]
    assert values["largest_test_accuracy_difference"] is None
    assert found.text().endswith("0 of 2 pairs of runs are identical, times aside.")


def test_the_largest_difference(tmp_path: Path) -> None:
    a, b = finished_study(tmp_path / "a", [LARS, SGD]), finished_study(tmp_path / "b", [LARS, SGD])
    file = b / "runs" / SGD.name / "metrics.csv"
    table = read_csv(file)
    table["test_accuracy"] -= 0.125
    table.to_csv(file, index=False)
    found = studies(a, b)
    assert found.to_mapping()["largest_test_accuracy_difference"] == pytest.approx(-0.125)
    assert "Largest difference in test accuracy: -12.50 points, optimizer sgd_momentum" in found.text()


# ---- other folders ----


def test_a_run_is_not_compared_with_a_study(tmp_path: Path) -> None:
    folder = finished_study(tmp_path / "study", [LARS])
    run = folder / "runs" / LARS.name
    for pair in ((folder, run), (run, folder)):
        with pytest.raises(UserError, match=r"is the folder of a study and .* is not: name two of one kind"):
            compare(*pair)


def test_folders_of_neither_kind_and_damaged_runs(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not the folder of a run"):
        compare(tmp_path, tmp_path)
    run = write_run(tmp_path / "run", LARS)
    run.result_file.write_text("{")
    with pytest.raises(UserError, match=r"run: result\.json can't be read"):
        compare(run.path, run.path)


def test_execution_is_compared_where_both_have_begun(tmp_path: Path) -> None:
    a = finished_study(tmp_path / "a", [LARS])
    b = write_study(tmp_path / "b", [LARS])
    write_run(b / "runs" / LARS.name, LARS, execution=Execution(mode=EXECUTION.mode, memory="2g"))
    assert [(d.name, d.a, d.b) for d in studies(a, b).settings] == [("memory", "1g", "2g")]


def test_studies_that_tune_are_compared_by_their_final_runs_too(tmp_path: Path) -> None:
    sgd = cell(2, (2,), of=base("sgd_momentum", 8, epochs=2))
    ended = {trial: ("finished", [0.5, 0.6]) for trial in sgd.trials}
    finals = {run: ("finished", [0.7, 0.8]) for run in sgd.finals(sgd.trials[0])}
    a, b = (write_tuned(tmp_path / name, [sgd], {**ended, **finals}) for name in "ab")
    found = studies(a, b)
    assert len(found.pairs) == 2 + 3 and all(pair.runs.identical for pair in found.pairs)
    assert [pair.test_accuracy for pair in found.pairs] == [(None, None)] * 2 + [(0.8, 0.8)] * 3
