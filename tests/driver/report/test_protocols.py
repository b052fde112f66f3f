"""What reports say about protocols: the rule, trade-offs, the spread, staleness beside the simulation."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from largebatch.records.reading import RunRecord, StudyRecord, read_study
from largebatch.records.result import Status
from largebatch.records.staleness import COLUMNS
from largebatch.report.protocols import behind, rule, runs, spread, staleness
from largebatch.report.protocols.part import drawings, part
from largebatch.report.write import report
from largebatch.settings.study import run_name
from largebatch.settings.training import Training
from largebatch.simulation.compute_times import ComputeTimes
from largebatch.simulation.plan import load
from largebatch.simulation.plan import rule as rule_of
from largebatch.simulation.server import Costs, simulate
from tests.support.study_samples import write_run, write_study

ROWS = 4096
MEASURED = Path(__file__).parents[2] / "recorded" / "measured_staleness.json"
TIMES = ComputeTimes("lognormal", 0.1, 0.5)


def asked(workers: int, mu: int, protocol: str = "hardsync", **more: Any) -> Training:
    return Training(workers=workers, batch_size=workers * mu, protocol=protocol, epochs=3, **more)


def run(training: Training, error: float, status: Status = Status.FINISHED, cores: int = 2) -> RunRecord:
    """A run with this test error at the end."""
    epochs = range(1, training.epochs + 1)
    metrics = pd.DataFrame({
        "epoch": epochs,
        "updates": [epoch * ROWS // training.batch_size for epoch in epochs],
        "test_accuracy": [1 - error - (training.epochs - epoch) / 100 for epoch in epochs],
        "seconds": 2.0,
    })  # fmt: skip
    name = run_name(training)
    return RunRecord(name, name, training, status, metrics=metrics, versions={"cores": cores})


def study(*there: RunRecord) -> StudyRecord:
    return StudyRecord("made-up", "T", "", "0", {}, there)


def points(errors: Mapping[tuple[int, int], float], protocol: str = "async") -> list[runs.Point]:
    """Points of a protocol by workers and rows per worker."""
    of_runs = (run(asked(workers, mu, protocol), error) for (workers, mu), error in errors.items())
    return runs.points(runs.ended(study(*of_runs)))


# ---- the rule ----

# Product 128: 2 to 3 %. With 64 rows for each worker: 2 to 9 %.
KEPT = {(2, 64): 0.02, (4, 32): 0.021, (8, 16): 0.029, (8, 64): 0.09}


def test_the_rule_holds_where_the_product_keeps_the_accuracy_and_more_rows_do_not() -> None:
    claims = rule.judge(points(KEPT))
    (claim,) = claims.values()
    assert claim.verdict == "reproduced"
    assert [statement.measured for statement in claim.statements] == [
        "at worst +0.90 points from 2 x 64 to 8 x 16; at most 1 point in 2 of 2",
        "+7.00 points from 2 x 64 to 8 x 64",
    ]
    assert rule.sentences(claims) == [
        "Rudra's rule (workers times rows per worker constant) holds, and is needed: asynchronous."
    ]


@pytest.mark.parametrize(
    ("changed", "verdict", "words"),
    [
        ({(8, 16): 0.031}, "partly reproduced", "holds in part: asynchronous."),
        ({(8, 64): 0.029}, "partly reproduced", "holds in part: asynchronous."),
        ({(8, 16): 0.4, (8, 64): 0.02}, "not reproduced", "does not hold: asynchronous."),
    ],
)
def test_the_rule_is_refuted_by_results(
    changed: dict[tuple[int, int], float], verdict: str, words: str
) -> None:
    claims = rule.judge(points(KEPT | changed))
    assert claims["asynchronous"].verdict == verdict
    assert rule.sentences(claims)[0].endswith(words)


def test_the_rule_is_not_measured_without_equal_products() -> None:
    for errors in ({(4, 16): 0.02, (4, 64): 0.04}, {(4, 16): 0.02, (8, 16): 0.02}):
        claims = rule.judge(points(errors))
        assert claims["asynchronous"].verdict == "not measured"
        assert rule.sentences(claims) == []


def test_a_run_that_diverged_is_wrong_about_everything() -> None:
    runs_there = [run(asked(w, mu, "async"), error) for (w, mu), error in KEPT.items()]
    runs_there[2] = run(asked(8, 16, "async"), 0.02, Status.DIVERGED)
    (claim,) = rule.judge(runs.points(runs.ended(study(*runs_there)))).values()
    assert claim.verdict == "partly reproduced"
    assert "+98.00 points from 2 x 64 to 8 x 16" in claim.statements[0].measured


def test_each_protocol_has_a_verdict_of_its_own() -> None:
    lost = {(2, 64): 0.02, (4, 32): 0.3, (4, 64): 0.02}
    claims = rule.judge([*points(KEPT), *points(lost, "hardsync")])
    assert {line: claim.verdict for line, claim in claims.items()} == {
        "asynchronous": "reproduced",
        "hardsync": "not reproduced",
    }


# ---- against hardsync ----


def test_each_protocol_is_compared_with_hardsync_of_the_same_size() -> None:
    errors = {(2, 64): 0.02, (4, 32): 0.021, (8, 64): 0.03}
    found = behind.behind([*points(errors, "hardsync"), *points(KEPT), *points({(4, 1): 0.5}, "backup")])
    (one,) = found
    assert one.line == "asynchronous"
    assert [place.size for place in one.losses] == ["2 x 64", "4 x 32", "8 x 64"]
    assert (one.worst.size, one.close) == ("8 x 64", 2)
    assert behind.sentence(found) == [
        "Test error above that of hardsync with the same workers and rows per worker, at worst: "
        "asynchronous +6.00 points at 8 x 64."
    ]
    assert behind.sentence([]) == []


def test_runs_of_unequal_epochs_are_not_compared() -> None:
    there = [run(asked(4, 16), 0.02), run(dataclasses.replace(asked(4, 16, "async"), epochs=2), 0.09)]
    made = runs.points(runs.ended(study(*there)))
    assert [point.place.line for point in made] == ["hardsync, epochs 3", "asynchronous, epochs 2"]
    assert behind.behind(made) == []


# ---- lines and points ----


def test_a_line_is_a_protocol_whose_n_may_grow_with_the_workers() -> None:
    there = [
        asked(4, 16),
        asked(4, 16, "softsync"),
        asked(4, 16, "softsync", softsync_n=2),
        asked(8, 16, "softsync", softsync_n=4, staleness_modulation="average"),
        asked(8, 16, "async", staleness_modulation="per_gradient"),
        asked(8, 16, "async", learning_rate=0.5),
        asked(8, 16, "async", learning_rate=0.25),
    ]
    assert [one.place.line for one in runs.ended(study(*(run(training, 0.1) for training in there)))] == [
        "hardsync",
        "1-softsync",
        "workers/2-softsync",
        "workers/2-softsync, average modulation",
        "asynchronous, per gradient modulation",
        "asynchronous, learning rate 0.5",
        "asynchronous, learning rate 0.25",
    ]


def test_a_point_has_the_mean_and_the_range_of_its_runs() -> None:
    (point,) = runs.points(
        runs.ended(study(*(run(asked(4, 16, "async", seed=s), s / 100) for s in (1, 2, 6))))
    )
    assert (point.runs, point.diverged) == (3, 0)
    assert (point.error, point.lowest, point.highest) == pytest.approx((0.03, 0.01, 0.06))
    assert (point.updates, point.seconds, point.place.product) == (192, 6.0, 64)


# ---- the spread ----


def test_the_spread_is_that_of_seeds_and_of_repetitions_of_one_seed() -> None:
    errors = {(1, 1): 0.02, (1, 2): 0.04, (1, 3): 0.03, (2, 1): 0.05, (2, 2): 0.06}
    there = [run(asked(8, 16, "async", seed=s, repetition=r), error) for (s, r), error in errors.items()]
    (found,) = spread.spreads(
        runs.ended(study(*there, run(asked(8, 16), 0.1), run(asked(8, 16, seed=2), 0.2)))
    )
    assert (found.place.size, found.seeds, found.repetitions) == ("8 x 16", 2, 3)
    assert (found.between_seeds, found.between_repetitions) == pytest.approx((0.025, 0.02))


def test_one_run_has_no_spread_and_seeds_alone_none_between_repetitions() -> None:
    assert spread.spreads(runs.ended(study(run(asked(8, 16, "async"), 0.1)))) == []
    two = [run(asked(8, 16, "async", seed=seed), 0.1) for seed in (1, 2)]
    (found,) = spread.spreads(runs.ended(study(*two)))
    assert (found.between_seeds, found.between_repetitions) == (0, None)


# ---- staleness ----


def counted(training: Training, seed: int = 5) -> RunRecord:
    """A run whose staleness is that of a simulation with TIMES."""
    to_do = load(training, ROWS)
    done = simulate(rule_of(training), to_do, TIMES, Costs(), np.random.default_rng(seed))
    rows = [(1, kind, value, count) for (kind, value), count in sorted(done.staleness.items())]
    rows.append((to_do.epochs, "usual", 0, 0))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    made = run(training, 0.1)
    metrics = made.metrics.assign(seconds=done.seconds / to_do.epochs)
    return dataclasses.replace(made, metrics=metrics, staleness=table)


@pytest.fixture(scope="module")
def compared() -> list[staleness.Compared]:
    there = [
        asked(8, 16, "async"),
        asked(8, 16, "softsync", softsync_n=4),
        asked(8, 16, "backup"),
        asked(4, 16, "softsync"),
        asked(8, 16),
    ]
    return staleness.compare(study(*(counted(training) for training in there)))


def test_compute_times_are_found_from_the_staleness_of_asynchronous_runs(
    compared: list[staleness.Compared],
) -> None:
    times = {one.training.workers: one.times for one in compared}
    assert times[4] is None
    found = times[8]
    assert found is not None
    assert found.shape == pytest.approx(TIMES.shape, rel=0.15)
    assert found.mean == pytest.approx(TIMES.mean, rel=0.15)


def test_the_simulation_foretells_the_other_protocols_of_the_same_size(
    compared: list[staleness.Compared],
) -> None:
    assert [(one.training.protocol, one.training.workers) for one in compared] == [
        ("softsync", 4), ("async", 8), ("softsync", 8), ("backup", 8),
    ]  # fmt: skip
    assert np.isnan(compared[0].off)
    assert all(abs(one.off) < 0.05 for one in compared[1:3])
    assert compared[3].predicted is not None
    assert compared[3].predicted.mean == pytest.approx(compared[3].measured.mean, abs=0.1)
    assert [one.theory for one in compared[:3]] == [0.75, 7, 3.5]


@pytest.mark.parametrize("mode", ["local", "spark"])
def test_the_simulation_has_the_mean_staleness_that_the_real_server_had(mode: str) -> None:
    """The study staleness-table, as it was measured on a busy machine with 2 cores."""
    recorded = [one for one in json.loads(MEASURED.read_text()) if one["mode"] == mode]
    found = staleness.compare(study(*map(measured, recorded)))
    assert {one.training.workers for one in found} == {4, 8}
    assert len(found) == len(recorded)
    assert all(abs(one.off) < 0.1 for one in found)
    assert all(one.measured.mean == pytest.approx(one.theory, rel=0.15) for one in found)


def measured(values: Mapping[str, Any]) -> RunRecord:
    """A run as it was recorded."""
    softsync = {"softsync_n": values["softsync_n"]} if values["protocol"] == "softsync" else {}
    made = run(asked(values["workers"], 16, values["protocol"], **softsync), 0.1)
    metrics = made.metrics.assign(seconds=values["seconds"])
    counts = pd.DataFrame(values["staleness"], columns=list(COLUMNS))
    return dataclasses.replace(made, metrics=metrics, staleness=counts)


def test_first_gradients_of_an_epoch_do_not_count() -> None:
    table = pd.DataFrame([(1, "first", 99, 4), (1, "usual", 2, 6)], columns=list(COLUMNS))
    made = run(asked(4, 16, "async"), 0.1)
    late = dataclasses.replace(made, staleness=table)
    (found,) = staleness.compare(study(late))
    assert (found.measured.mean, found.measured.largest, found.measured.total) == (2, 2, 6)
    assert staleness.histograms(study(late)).to_dict("records") == [
        {"workers": 4, "protocol": "asynchronous", "staleness": 2, "count": 6}
    ]


# ---- the whole ----


def test_times_are_no_speed_ups_where_workers_share_cores() -> None:
    there = [run(asked(workers, 16, "async"), 0.1) for workers in (2, 8)]
    assert part(study(*there))[0].sentences[-1] == (
        "Up to 8 workers shared 2 cores: the times are not speed-ups."
    )
    enough = [run(asked(workers, 16, "async"), 0.1, cores=8) for workers in (2, 8)]
    assert not any("cores" in sentence for sentence in part(study(*enough))[0].sentences)


def test_a_study_of_hardsync_alone_has_no_such_part() -> None:
    assert part(study(run(asked(4, 16), 0.1), run(asked(8, 16), 0.1))) == []


def written(path: Path, *trainings: Training) -> Path:
    """A study's folder with finished runs, and their counts of staleness."""
    folder = write_study(path, trainings)
    entries = [
        {"name": run_name(t), "folder": f"runs/{run_name(t)}", "training": t.to_mapping()} for t in trainings
    ]
    write_study(path, trainings, runs=entries)
    for training in trainings:
        made = write_run(folder / "runs" / run_name(training), training)
        if not runs.reproducible(training):
            counted(training).staleness.to_csv(made.staleness_file, index=False)
    return folder


def test_a_report_that_compares_protocols_has_tables_and_figures_of_them(tmp_path: Path) -> None:
    folder = written(
        tmp_path,
        asked(4, 16),
        asked(4, 16, "async"),
        asked(8, 8, "async"),
        asked(8, 16, "async"),
        asked(8, 8, "softsync"),
    )
    done = report(folder)
    assert {file.stem for file in (folder / "figures").glob("*.svg")} == {
        "tradeoff-time-asynchronous",
        "tradeoff-updates-asynchronous",
        "staleness-4-workers",
        "staleness-8-workers",
    }
    text, page = (folder / "report.md").read_text(), done.page.read_text()
    for title in ("Staleness: measured, simulated and by theory", "Test error and time", "The rule"):
        assert f"### {title}" in text
        assert f"<h3>{title}</h3>" in page
    assert "](figures/staleness-8-workers.svg)" in text
    assert "](figures/tradeoff-time-asynchronous.svg)" in text
    assert "Rudra's rule" in done.text
    assert "Accuracy against batch size" not in page
    assert re.findall(r'<a href="#protocols">', page) == ['<a href="#protocols">']


def test_one_protocol_alone_is_shown_by_batch_size_and_with_its_staleness() -> None:
    there = study(*(counted(asked(4, mu, "async")) for mu in (16, 64)))
    assert not runs.compares(there)
    assert [figure.name for figure in drawings(there)] == ["staleness-4-workers"]


def test_a_damaged_count_of_staleness_leaves_the_run_out(tmp_path: Path) -> None:
    folder = written(tmp_path, asked(4, 16, "async"), asked(8, 8, "async"))
    file = folder / "runs" / run_name(asked(8, 8, "async")) / "staleness.csv"
    file.write_text("epoch,kind\n1,usual\n")
    (problem,) = read_study(folder).problems
    assert "is left out: staleness.csv must have the columns" in problem
