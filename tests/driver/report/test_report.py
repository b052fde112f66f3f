"""Reports: what is read of runs at any stage, the tables, the summary, the files."""

from __future__ import annotations

import csv
import json
import re
import shlex
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from largebatch.cli.main import build_parser, main
from largebatch.cli.parsing import given
from largebatch.errors import UserError
from largebatch.records.reading import read_study
from largebatch.records.run_folder import RunFolder
from largebatch.report import figures, summary, svg, tables
from largebatch.report.page import train_command
from largebatch.report.write import report
from largebatch.settings.training import Training
from tests.support.settings import SETTINGS
from tests.support.study_samples import finished_study, metrics, write_run, write_study
from tests.support.tables import read_csv

RECORDS = Path(__file__).parents[2] / "recorded"
SGD = Training(optimizer="sgd_momentum", batch_size=1024, epochs=3)
LARS = Training(optimizer="lars", batch_size=1024, epochs=3)
FILES = ["epochs.csv", "report.html", "report.md", "results.csv", "results.parquet"]


def study(folder: Path, *trainings: Training) -> Path:
    """A finished study."""
    return finished_study(folder / "study", trainings or (SGD, LARS))


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the figures, which take the most time, where they don't matter."""
    monkeypatch.setattr(figures, "draw", lambda results, cells, epochs: [])


def run_of(folder: Path, training: Training) -> RunFolder:
    return RunFolder(folder / "runs" / training.name)


def only_row(folder: Path) -> dict[str, object]:
    """The row of results.csv of a study's only run."""
    (row,) = tables.results(read_study(folder)).to_dict("records")
    return {str(name): value for name, value in row.items()}


# ---- the whole ----


def rows(file: Path) -> list[dict[str, str]]:
    """The rows of a CSV file as they are written."""
    return list(csv.DictReader(file.read_text().splitlines()))


@pytest.mark.usefixtures("undrawn")
def test_the_report_of_recorded_runs(tmp_path: Path) -> None:
    written = report(RECORDS / "study", tmp_path)
    assert (tmp_path / "epochs.csv").read_text() == (RECORDS / "report" / "epochs.csv").read_text()
    found, wanted = rows(tmp_path / "results.csv"), rows(RECORDS / "report" / "results.csv")
    assert [{name: row[name] for name in wanted[0]} for row in found] == wanted
    defaults = {name: SETTINGS[name].default for name in found[0].keys() - wanted[0].keys()}
    later = {name: "" if value is None else str(value) for name, value in defaults.items()}
    assert all(later.items() <= row.items() for row in found), "settings of later have their defaults"
    assert written.text + "\n" == (RECORDS / "report" / "summary.txt").read_text()
    assert written.problems == []
    assert written.page == tmp_path / "report.html"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*FILES, "figures"])


@pytest.mark.usefixtures("undrawn")
def test_both_tables_of_results_are_the_same(tmp_path: Path) -> None:
    report(RECORDS / "study", tmp_path)
    of_csv = read_csv(
        tmp_path / "results.csv",
        keep_default_na=False,
        na_values={"test_accuracy": [""]},
    )
    of_parquet = pd.read_parquet(tmp_path / "results.parquet")
    assert list(of_csv) == list(of_parquet)
    assert of_csv["test_accuracy"].equals(of_parquet["test_accuracy"])
    assert list(of_csv["reason"]) == list(of_parquet["reason"])


def test_equal_files_give_equal_reports(tmp_path: Path) -> None:
    folder = study(tmp_path, Training(batch_size=1024, epochs=1))
    for out in ("a", "b"):
        report(folder, tmp_path / out)
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.*"))
    assert [str(f) for f in files if f.suffix == ".svg"] != []
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file


@pytest.mark.usefixtures("undrawn")
def test_the_study_is_left_as_it_was(tmp_path: Path) -> None:
    folder = study(tmp_path)
    before = {path: path.read_bytes() for path in folder.rglob("*.*") if path.is_file()}
    report(folder)
    after = {path: path.read_bytes() for path in folder.rglob("*.*") if path.is_file()}
    assert {path: after[path] for path in before} == before
    new = sorted(str(path.relative_to(folder)) for path in set(after) - set(before))
    assert [name for name in new if not name.startswith("figures/")] == FILES


def test_a_study_that_has_not_begun_has_a_report(tmp_path: Path) -> None:
    written = report(write_study(tmp_path / "study", [SGD, LARS]))
    assert "- 0 of 2 runs finished, 2 not begun." in written.text
    assert "7 not measured" in written.text
    assert written.page.exists()


# ---- runs at any stage ----


def test_a_run_that_is_being_trained(tmp_path: Path) -> None:
    folder = write_study(tmp_path, [SGD])
    run = write_run(tmp_path / "runs" / SGD.name, SGD, status=None, epochs=2)
    with run.metrics_file.open("a") as file:
        file.write("3,177,180000,0.5,0.1")  # a row of which the rest is not there yet
    row = only_row(folder)
    assert (row["status"], row["epochs_done"], row["updates"]) == ("unfinished", 2, 118)
    assert pd.isna(row["test_accuracy"])
    assert row["training_seconds"] == pytest.approx(metrics(SGD, 2)["seconds"].sum())


@pytest.mark.parametrize("there", [[], ["lock"]])
def test_a_run_that_has_not_begun(tmp_path: Path, there: list[str]) -> None:
    folder = write_study(tmp_path, [SGD])
    for name in there:
        (folder / "runs" / SGD.name).mkdir(parents=True)
        (folder / "runs" / SGD.name / name).write_text("")
    assert only_row(folder)["status"] == "not begun"


def test_a_run_that_failed_has_its_reason(tmp_path: Path) -> None:
    folder = write_study(tmp_path, [SGD])
    write_run(folder / "runs" / SGD.name, SGD, status="failed", epochs=0, reason="no heap <left>, sorry")
    row = only_row(folder)
    assert (row["status"], row["reason"], row["epochs_done"]) == ("failed", "no heap <left>, sorry", 0)


def test_a_run_that_diverged_has_no_accuracy(tmp_path: Path) -> None:
    folder = write_study(tmp_path, [SGD])
    write_run(folder / "runs" / SGD.name, SGD, status="diverged", epochs=1)
    row = only_row(folder)
    assert (row["status"], row["epochs_done"]) == ("diverged", 1)
    assert pd.isna(row["test_accuracy"])


def _half(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _metrics(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[RunFolder], None]:
    def damage(run: RunFolder) -> None:
        change(run.metrics()).to_csv(run.metrics_file, index=False)

    return damage


DAMAGE: list[tuple[Callable[[RunFolder], object], str]] = [
    (lambda run: _half(run.path / "config.json"), "config.json can't be read as a run's settings: "),
    (lambda run: (run.path / "config.json").unlink(), "runs/{} is not the folder of a run: it has no config"),
    (lambda run: _half(run.result_file), "result.json can't be read: "),
    (lambda run: run.result_file.write_text("[]"), "result.json has a list where an object must be"),
    (lambda run: run.result_file.write_text('{"status": "finished"}'), "result.json lacks dataset, or"),
    (
        lambda run: run.result_file.write_text(run.result_file.read_text().replace("finished", "odd")),
        "result.json has the unknown status 'odd'",
    ),
    (lambda run: _half(run.metrics_file), " epochs, result.json 3"),
    (lambda run: run.metrics_file.unlink(), "metrics.csv has 0 epochs, result.json 3"),
    (
        lambda run: run.metrics_file.write_text("epoch,seconds\n1,2\n2\n"),
        "metrics.csv has rows of unequal length",
    ),
    (lambda run: run.metrics_file.write_text("epoch,seconds\n1,2\n"), "metrics.csv lacks updates, examples,"),
    (lambda run: run.metrics_file.write_bytes(b"\xff\xfe\n"), "metrics.csv can't be read: "),
    (_metrics(lambda t: t.assign(seconds="a")), "metrics.csv has values that are no numbers in seconds"),
    (_metrics(lambda t: t.assign(epoch=t["epoch"] + 1)), "metrics.csv does not have the epochs 1, 2, 3"),
    (_metrics(lambda t: t.assign(test_accuracy=float("nan"))), "metrics.csv has empty accuracies or seconds"),
    (_metrics(lambda t: t.assign(updates=float("inf"))), "metrics.csv has updates that are not from 1 to"),
    (_metrics(lambda t: t.assign(test_accuracy=True)), "metrics.csv has values that are no numbers in test_"),
    (
        _metrics(lambda t: t.assign(test_accuracy=1.5)),
        "metrics.csv has test_accuracy that are not",
    ),
    (_metrics(lambda t: t.assign(seconds=-1)), "metrics.csv has seconds that are not from 1e-09 to 1e+09"),
    (lambda run: run.metrics_file.write_bytes(b"," * 5000 + b"\n"), "metrics.csv has more than 1000 columns"),
    (lambda run: run.result_file.write_bytes(b"[" * 100_000), "result.json can't be read: it is nested too"),
]


@pytest.mark.parametrize(("damage", "reason"), DAMAGE, ids=[reason for _, reason in DAMAGE])
def test_a_damaged_run_is_named_and_left_out(
    tmp_path: Path, damage: Callable[[RunFolder], object], reason: str
) -> None:
    folder = study(tmp_path)
    damage(run_of(folder, SGD))
    record = read_study(folder)
    (problem,) = record.problems
    assert problem.startswith(f"{SGD.name} is left out: ")
    assert reason.format(SGD.name) in problem
    results = tables.results(record)
    assert list(results["status"]) == ["unreadable", "finished"]
    assert list(tables.cells(results)["line"]) == ["LARS"]
    assert set(tables.epochs(record)["line"]) == {"LARS"}


def test_a_run_with_other_settings_than_the_studys_is_left_out(tmp_path: Path) -> None:
    folder = write_study(tmp_path, [SGD])
    write_run(
        folder / "runs" / SGD.name, Training(optimizer="sgd_momentum", batch_size=512, epochs=3, seed=2)
    )
    (problem,) = read_study(folder).problems
    assert problem.endswith(
        "its settings are not the study's: batch_size 512 instead of 1024, seed 2 instead of 1"
    )


def test_unknown_versions_are_no_reason_to_leave_a_run_out(tmp_path: Path) -> None:
    folder = study(tmp_path, SGD)
    run_of(folder, SGD).versions_file.write_text("{")
    (run,) = read_study(folder).runs
    assert (run.status, run.versions) == ("finished", {})


def test_runs_may_be_in_a_folder_that_studies_share(tmp_path: Path) -> None:
    write_run(tmp_path / "shared" / "one", SGD)
    entry = {"name": "one", "folder": "../shared/one", "training": SGD.to_mapping()}
    folder = write_study(tmp_path / "study", [SGD], runs=[entry])
    assert only_row(folder)["status"] == "finished"


# ---- folders that are no study's ----


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "is not the folder of a study: it has no study.json"),
        ("{", "study.json can't be read: "),
        ("[]", "study.json has a list where an object must be"),
        ("{}", "study.json lacks name, or has it with a value of another kind"),
    ],
)
def test_what_is_no_study(tmp_path: Path, text: str | None, sentence: str) -> None:
    if text is not None:
        (tmp_path / "study.json").write_text(text)
    with pytest.raises(UserError) as error:
        report(tmp_path)
    assert sentence in str(error.value)
    assert str(tmp_path) in str(error.value)
    assert not (tmp_path / "report.html").exists()


def test_a_setting_that_this_version_does_not_know(tmp_path: Path) -> None:
    entry = {"name": "one", "folder": "runs/one", "training": {"colour": "red"}}
    folder = write_study(tmp_path, [SGD], runs=[entry])
    with pytest.raises(UserError, match=r"study\.json: run one: unknown setting colour"):
        read_study(folder)


@pytest.mark.usefixtures("undrawn")
def test_an_output_folder_that_can_not_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"can't be written to: .*; name another by --out"):
        report(study(tmp_path), tmp_path / "file")


# ---- lines, cells ----


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


def test_cells_are_means_over_the_seeds_that_finished(tmp_path: Path) -> None:
    trainings = [Training(batch_size=1024, epochs=2, seed=seed) for seed in (1, 2, 3)]
    folder = study(tmp_path, *trainings)
    run_of(folder, trainings[2]).result_file.unlink()
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


# ---- --epoch, --per-worker ----


@pytest.mark.usefixtures("undrawn")
def test_as_if_all_runs_had_stopped_earlier(tmp_path: Path) -> None:
    folder = study(tmp_path)
    write_study(folder, [SGD, LARS])
    written = report(folder, epoch=2)
    results = read_csv(folder / "results.csv")
    assert list(results["test_accuracy"]) == [metrics(t)["test_accuracy"].iloc[1] for t in (SGD, LARS)]
    assert list(results["epochs_done"]) == [2, 2]
    assert set(read_csv(folder / "epochs.csv")["epoch"]) == {1, 2}
    assert "as if every run had stopped after 2 epochs" in written.page.read_text()
    assert "--epoch 2" in written.page.read_text()


@pytest.mark.parametrize(
    ("status", "epochs", "expected"),
    [
        ("failed", 2, "finished"),  # after epoch 2
        (None, 2, "finished"),
        ("diverged", 3, "finished"),
        ("diverged", 2, "diverged"),
        ("failed", 1, "failed"),
        (None, 1, "unfinished"),
    ],
)
def test_what_a_run_is_after_two_epochs(
    tmp_path: Path, status: str | None, epochs: int, expected: str
) -> None:
    folder = write_study(tmp_path, [SGD, LARS])
    write_run(folder / "runs" / SGD.name, SGD, status, epochs)
    write_run(folder / "runs" / LARS.name, LARS)
    assert [run.status for run in read_study(folder).after(2).runs] == [expected, "finished"]


def test_a_run_that_was_to_be_shorter_has_no_result_after_more_epochs(tmp_path: Path) -> None:
    short = Training(batch_size=64, epochs=1)
    record = read_study(study(tmp_path, LARS, short)).after(2)
    assert [(run.status, run.reason) for run in record.runs] == [
        ("finished", ""),
        ("unfinished", "was trained for 1 epochs"),
    ]


@pytest.mark.parametrize("epoch", [0, 4])
def test_epochs_that_no_run_has(tmp_path: Path, epoch: int) -> None:
    with pytest.raises(
        UserError, match=f"--epoch {epoch} must be from 1 to 3, the epochs that the study has"
    ):
        report(study(tmp_path), epoch=epoch)


@pytest.mark.parametrize(
    ("settings", "allowed"),
    [
        ({"schedule": "constant"}, True),
        ({"schedule": "inverse_time", "warmup_epochs": 1.5}, True),
        ({"schedule": "polynomial"}, False),
        ({"schedule": "multi_step"}, False),
    ],
)
def test_schedules_that_depend_on_the_number_of_epochs(
    tmp_path: Path, settings: dict[str, object], allowed: bool
) -> None:
    training = Training.from_mapping({"batch_size": 1024, "epochs": 3, **settings})
    folder = study(tmp_path, training)
    if allowed:
        assert read_study(folder).after(2).epoch == 2
    else:
        with pytest.raises(UserError, match="--epoch can't be used: a learning-rate schedule"):
            read_study(folder).after(2)
    assert read_study(folder).schedules_need_the_end != allowed


def test_batch_sizes_of_one_worker(tmp_path: Path) -> None:
    folder = study(
        tmp_path, *(Training(optimizer=o, batch_size=4096, epochs=3) for o in ("sgd_momentum", "lars"))
    )
    record = read_study(folder)
    results = tables.results(record)
    (as_global,), (per_worker,) = (
        summary.compare_with_paper(record, results, per_worker=reading) for reading in (False, True)
    )
    assert "no result of SGD at 1024" in as_global.claims[0].statements[0].measured
    assert " at 1024" in per_worker.claims[0].statements[0].measured
    assert "no result" not in per_worker.claims[0].statements[0].measured


def with_seeds(folder: Path, at_32000: dict[str, dict[int, float]]) -> tuple[summary.Comparison, str]:
    """The claims on three seeds that have 90% at 28000, and at 32000 by optimizer and seed what is told."""
    keys = [
        (optimizer, size, seed) for optimizer in at_32000 for size in (28000, 32000) for seed in (1, 2, 3)
    ]
    folder = study(folder, *(Training(optimizer=o, batch_size=b, seed=s, epochs=1) for o, b, s in keys))
    results = tables.results(read_study(folder))
    of_run = {key: at_32000[key[0]].get(key[2]) if key[1] == 32000 else 0.9 for key in keys}
    rows = zip(results["optimizer"], results["batch_size"], results["seed"], strict=True)
    results = results.assign(test_accuracy=[of_run[row] for row in rows]).dropna(subset="test_accuracy")
    (comparison,) = summary.compare_with_paper(read_study(folder), results)
    return comparison, summary.sentences(results, tables.cells(results), [comparison])[-1]


def test_what_single_seeds_say_of_a_claim(tmp_path: Path) -> None:
    lars_is_behind_with_3 = {
        "sgd_momentum": {1: 0.40, 2: 0.40, 3: 0.60}, "lars": {1: 0.50, 2: 0.45, 3: 0.55}
    }  # fmt: skip
    comparison, sentence = with_seeds(tmp_path, lars_is_behind_with_3)
    claim = comparison.claims[4]
    assert claim.verdict == "reproduced"
    assert claim.of_seeds == ((1, "reproduced"), (2, "reproduced"), (3, "partly reproduced"))
    assert claim.seeds == "seeds 1, 2 alone: the same; seed 3 alone: partly reproduced"
    assert sentence.endswith(" Single seeds give other verdicts on claim 5.")


def test_seeds_that_agree(tmp_path: Path) -> None:
    comparison, sentence = with_seeds(
        tmp_path, {"sgd_momentum": dict.fromkeys((1, 2, 3), 0.4), "lars": dict.fromkeys((1, 2, 3), 0.5)}
    )
    assert comparison.claims[4].seeds == "seeds 1, 2, 3 alone: the same"
    assert "ingle seeds" not in sentence


def test_a_seed_that_lacks_a_run_has_no_verdict_of_its_own(tmp_path: Path) -> None:
    sgd = dict.fromkeys((1, 2, 3), 0.4)
    for index, (lars, seeds) in enumerate((({1: 0.5, 2: 0.5}, "seeds 1, 2 alone: the same"), ({1: 0.5}, ""))):
        comparison, _ = with_seeds(tmp_path / str(index), {"sgd_momentum": sgd, "lars": lars})
        assert comparison.claims[4].seeds == seeds
        assert comparison.claims[0].seeds == ""


@pytest.mark.parametrize("settings", [{"dataset": "digits"}, {"network": "softmax"}])
@pytest.mark.usefixtures("undrawn")
def test_the_claims_are_about_lenet_on_mnist(tmp_path: Path, settings: dict[str, object]) -> None:
    trainings = [
        Training.from_mapping({"optimizer": optimizer, "batch_size": 1024, "epochs": 2, **settings})
        for optimizer in ("sgd_momentum", "lars")
    ]
    assert "7 not measured" in report(study(tmp_path, *trainings)).text


# ---- sentences ----


@pytest.mark.parametrize(
    ("wanted", "text"),
    [([1, 2, 4, 8], "1 to 8"), ([1, 2, 8], "1, 2, 8"), ([1, 2, 4], "1 to 4"), ([8], "8"), ([], "")],
)
def test_sizes(wanted: list[int], text: str) -> None:
    assert summary.sizes(wanted, [1, 2, 4, 8]) == text


def sentences(accuracies: dict[str, dict[int, float]]) -> str:
    """The summary for made-up test accuracies, without the first sentence."""
    rows = [
        {
            "name": f"{line}-{size}",
            "line": line,
            "optimizer": line,
            "batch_size": size,
            "status": "finished",
            "test_accuracy": value,
            "train_accuracy": value,
            "generalization_error": 0.0,
            "median_epoch_seconds": 1.0,
        }
        for line, values in accuracies.items()
        for size, value in values.items()
    ]
    results = pd.DataFrame(rows)
    return "\n".join(summary.sentences(results, tables.cells(results), [])[1:])


def test_how_far_the_batch_can_grow() -> None:
    text = sentences({"A": {8: 0.95, 16: 0.90, 32: 0.89, 64: 0.91}, "B": {8: 0.5}, "C": {8: 0.99, 16: 0.98}})
    assert (
        "A keeps a test accuracy of 90% or more up to batch size 16 (90.00%) and falls below it at "
        "batch size 32 (89.00%)." in text
    )
    assert "B: test accuracy is below 90% already at batch size 8 (50.00%)." in text
    assert "C keeps a test accuracy of 90% or more up to batch size 16 (98.00%), the largest that has" in text


def test_where_lines_cross() -> None:
    text = sentences({"A": {8: 0.95, 16: 0.93, 32: 0.80}, "B": {8: 0.93, 16: 0.935, 32: 0.89, 64: 0.5}})
    assert "A has the higher test accuracy at batch size 8, by 2.0 points; B has the higher " in text
    assert "B has the higher test accuracy at batch size 32, by 9.0 points; A and B are less " in text
    assert "A and B are less than 1 point apart at 16." in text
    assert "at batch size 8 to 32, by 4.0 points at 16." in sentences(
        {"A": {8: 0.95, 16: 0.94, 32: 0.93}, "B": dict.fromkeys((8, 16, 32), 0.90) | {8: 0.93}}
    )
    assert "Best test accuracy: 95.00%, by A at batch size 8." in text
    assert "A and B have no batch size in common yet." in sentences({"A": {8: 0.9}, "B": {16: 0.9}})


# ---- commands ----


@pytest.mark.parametrize(
    "training",
    [
        SGD,
        Training(
            batch_size=8,
            deterministic=False,
            milestones=(0.25, 0.5),
            schedule="multi_step",
            learning_rate=2.5,
        ),
        Training(optimizer="sgd", workers=2, network="softmax", dataset="idx", warmup_epochs=0.5),
    ],
)
def test_the_command_of_a_run_trains_that_run(training: Training) -> None:
    options = build_parser().parse_args(shlex.split(train_command(training))[1:])
    assert Training.from_given(given(options, Training)) == training


def test_the_command_of_a_run_leaves_out_what_does_not_count() -> None:
    """Studies may fix a setting of one optimizer for the runs of all, and the command line refuses it."""
    words = shlex.split(train_command(Training(optimizer="sgd", momentum=0.5, weight_decay=0.5)))
    assert "--momentum" not in words
    assert words[words.index("--weight-decay") + 1] == "0.5"


# ---- figures ----


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, figures.Figure]:
    """Figures of a study of two lines with a run that diverged."""
    sizes = (64, 1024, 8000)
    trainings = [
        Training(optimizer=o, batch_size=b, epochs=2) for b in sizes for o in ("sgd_momentum", "lars")
    ]
    folder = finished_study(tmp_path_factory.mktemp("figures"), trainings[:-1])
    write_study(folder, trainings)
    write_run(folder / "runs" / trainings[-1].name, trainings[-1], "diverged", 1)
    record = read_study(folder)
    results = tables.results(record)
    return {f.name: f for f in figures.draw(results, tables.cells(results), tables.epochs(record))}


def test_what_is_drawn(drawn: dict[str, figures.Figure]) -> None:
    curves = [
        f"accuracy-by-{x}-{line}"
        for line in ("sgd-with-momentum", "lars")
        for x in ("epochs", "updates", "seconds")
    ]
    ratios = [f"trust-ratios-lars-b{size}" for size in (64, 1024, 8000)]
    paper = ["test-accuracy", "train-accuracy", "generalization-error"]
    assert list(drawn) == [*paper, *curves, *ratios, "epoch-time"]


def test_figures_hold_text_and_no_style_that_the_policy_forbids(drawn: dict[str, figures.Figure]) -> None:
    for figure in drawn.values():
        root = ET.fromstring(figure.inline)  # noqa: S314
        assert not [
            element for element in root.iter() if "style" in element.attrib or element.tag.endswith("style")
        ]
        words = {element.text for element in root.iter(f"{{{svg.SVG}}}text")}
        assert words & {"batch size", "epochs", "updates", "seconds of training, without evaluation"}
    words = {e.text for e in ET.fromstring(drawn["test-accuracy"].inline).iter(f"{{{svg.SVG}}}text")}  # noqa: S314
    assert {"64", "1024", "8000", "SGD with momentum", "LARS", "test accuracy"} <= words


def test_ids_are_unique_in_a_page_and_references_find_them(drawn: dict[str, figures.Figure]) -> None:
    page = "".join(figure.inline for figure in drawn.values())
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', page)) == set(ids)


def test_every_colour_has_one_for_dark_screens(drawn: dict[str, figures.Figure]) -> None:
    for figure in drawn.values():
        for colour in set(re.findall(r'(?:stroke|fill)="(#[^"]+)"', figure.inline)):
            assert f'[stroke="{colour}"]' in svg.DARK_CSS, (figure.name, colour)


def test_a_file_of_its_own_is_whole(drawn: dict[str, figures.Figure]) -> None:
    for figure in drawn.values():
        assert figure.file.startswith("<?xml")
        assert "prefers-color-scheme: dark" in figure.file
        assert figure.png.startswith(b"\x89PNG")


# ---- the command line ----


def command(*arguments: object) -> int:
    """Exit status of `largebatch` with these arguments."""
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    assert isinstance(end.value.code, int)
    return end.value.code


@pytest.mark.usefixtures("undrawn")
def test_the_command_names_damaged_runs_and_ends_with_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = study(tmp_path)
    run_of(folder, SGD).result_file.write_text("{")
    assert command("report", folder, "--out", tmp_path / "out", "--epoch", 2, "--per-worker") == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("LARS against SGD with momentum\n\n- 1 of 2 runs finished, 1 unreadable.\n")
    assert printed.out.endswith(f"\n{tmp_path / 'out' / 'report.html'}\n")
    assert printed.err.startswith(f"{SGD.name} is left out: result.json can't be read: ")
    assert not (folder / "report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["report", "{}"], "{} is not the folder of a study: it has no study.json"),
        (["compare", "{}", "{}"], "{} is not the folder of a run: it has no config.json"),
        (["report", "{}", "--epoch", "0"], "argument --epoch: "),
    ],
)
def test_unusable_input_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert command(*(word.format(tmp_path) for word in arguments)) == 2
    assert sentence.format(tmp_path) in capsys.readouterr().err.splitlines()[-1]


def test_comparisons_are_printed_as_text_or_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = study(tmp_path)
    assert command("compare", folder, folder) == 0
    assert capsys.readouterr().out.endswith("Results are identical, times aside.\n")
    assert command("compare", folder, folder, "--json") == 0
    assert json.loads(capsys.readouterr().out)["identical"] is True
