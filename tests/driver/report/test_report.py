"""Reports: what is read of runs at any stage, the tables, the summary, the files."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from largebatch.cli.main import main
from largebatch.errors import UserError
from largebatch.records.reading import read_study
from largebatch.records.run_folder import RunFolder
from largebatch.report import tables
from largebatch.report.write import report
from largebatch.settings.execution import Execution
from largebatch.settings.training import Training
from tests.support.samples import dataset
from tests.support.study_samples import LARS, SGD, metrics, study, write_run, write_study
from tests.support.tables import read_csv

RECORDS = Path(__file__).parents[2] / "recorded"
FILES = ["epochs.csv", "readings.csv", "report.html", "report.md", "results.csv", "results.parquet"]


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
    defaults = {name: getattr(Training(), name) for name in found[0].keys() - wanted[0].keys()}
    lists = {name: tables.shown(value) for name, value in defaults.items() if isinstance(value, tuple)}
    later = {name: "" if value is None else str(value) for name, value in defaults.items()} | lists
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


def test_of_the_folder_of_a_run_it_is_said_where_its_epochs_are(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", SGD, Execution(), dataset())
    with pytest.raises(UserError, match=r"it is a run's, whose epochs are in .*metrics\.csv"):
        report(run.path)


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


# ---- --epoch ----


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
        ("unfinished", "was trained for 1 epoch"),
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
