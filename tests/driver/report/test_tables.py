"""Tidy tables of a study: its lines, and their cells."""

from __future__ import annotations

from pathlib import Path

import pytest

from largebatch.records.reading import read_study
from largebatch.report import tables
from largebatch.settings.training import Training
from tests.support.study_samples import LARS, SGD, metrics, study, write_study


def names(*trainings: Training, folder: Path) -> list[str]:
    record = read_study(write_study(folder, trainings, runs=[
        {"name": str(i), "folder": f"runs/{i}", "training": t.to_mapping()} for i, t in enumerate(trainings)
    ]))  # fmt: skip
    return [line.name for line in tables.lines(record).values()]


def test_a_line_is_named_by_what_tells_it_from_the_optimizers_others(tmp_path: Path) -> None:
    sgd = [
        Training(optimizer="sgd_momentum", batch_size=size, seed=seed) for size in (8, 16) for seed in (1, 2)
    ]
    lars = [Training(batch_size=8, learning_rate=rate, milestones=(0.5,)) for rate in (1.0, 2.5)]
    assert names(*sgd, *lars, folder=tmp_path) == [
        *["SGD with momentum"] * 4,
        "LARS, learning rate 1",
        "LARS, learning rate 2.5",
    ]


def test_what_varies_with_the_batch_size_makes_no_line(tmp_path: Path) -> None:
    scaled = [Training(batch_size=size, learning_rate=size / 8) for size in (8, 16)]
    assert names(*scaled, folder=tmp_path) == ["LARS", "LARS"]


def test_what_a_network_brings_is_named_only_where_a_run_has_it_otherwise(tmp_path: Path) -> None:
    both = [Training(network=network) for network in ("lenet", "resnet8")]
    assert names(*both, folder=tmp_path / "both") == ["LARS, network lenet", "LARS, network resnet8"]
    other = Training(network="resnet8", micro_batch=32)
    assert names(*both, other, folder=tmp_path / "other")[1:] == [
        "LARS, network resnet8, micro batch 64", "LARS, network resnet8, micro batch 32",
    ]  # fmt: skip


def test_cells_are_means_over_the_seeds_that_finished(tmp_path: Path) -> None:
    trainings = [Training(batch_size=1024, epochs=2, seed=seed) for seed in (1, 2, 3)]
    folder = study(tmp_path, *trainings)
    (folder / "runs" / trainings[2].name / "result.json").unlink()
    (cell,) = tables.cells(tables.results(read_study(folder))).to_dict("records")
    accuracies = [metrics(training)["test_accuracy"].iloc[-1] for training in trainings[:2]]
    assert cell["test_accuracy"] == pytest.approx(sum(accuracies) / 2)
    assert (cell["test_accuracy_min"], cell["test_accuracy_max"]) == (min(accuracies), max(accuracies))
    assert (cell["runs"], cell["names"]) == (2, tuple(training.name for training in trainings[:2]))


def test_lines_are_in_the_studys_order_whichever_has_results_first(tmp_path: Path) -> None:
    sgd, small, large = SGD, Training(batch_size=64, epochs=3), LARS
    folder = study(tmp_path, sgd, small, large)
    results = tables.results(read_study(folder))
    assert tables.line_names(results) == ["SGD with momentum", "LARS"]
    cells = tables.cells(results)
    assert list(zip(cells["line"], cells["batch_size"], strict=True)) == [
        ("SGD with momentum", 1024), ("LARS", 64), ("LARS", 1024),
    ]  # fmt: skip
