"""Folders of runs and studies: for resuming, sweeping and reporting; changed as files and as values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from largebatch.errors import UserError
from largebatch.records.reading import read_run, read_study
from largebatch.records.result import Result
from largebatch.records.run_folder import RunFolder
from largebatch.records.study_folder import StudyFolder
from largebatch.report import figures
from largebatch.report.compare import compare
from largebatch.report.tuning import table as tuning
from largebatch.report.tuning.part import part
from largebatch.report.write import report
from largebatch.settings.execution import Execution
from largebatch.settings.networks import NETWORKS
from largebatch.settings.study import Study, run_name
from largebatch.settings.training import Training
from largebatch.studies.tasks import format_tasks, measured, survey
from largebatch.terminal.table import format_results
from tests.support.fuzzing import TRAINING, examples, json_files, mutated, reads
from tests.support.harness import write_matrix
from tests.support.samples import dataset
from tests.support.study_samples import finished_study, metrics, write_run

EXECUTION = Execution(mode="local", memory="1g")
SOFTMAX = NETWORKS["softmax"]
STUDY = Study("sample", "Title", "Words.", (TRAINING,))
RESULT = {
    "dataset": "tiny", "network": "softmax", "optimizer": "lars", "batch_size": 8, "epochs": 2, "updates": 10,
    "train_accuracy": 0.5, "test_accuracy": 0.25, "generalization_error": 0.25, "seconds": 3.0,
    "status": "finished", "seed": 1, "folder": "runs/a",
}  # fmt: skip
CONFIG = json.dumps(
    {
        "training": TRAINING.to_mapping(),
        "execution": EXECUTION.to_mapping(),
        "data": {"height": 4, "width": 4, "classes": 3, "fingerprint": dataset().fingerprint},
    }
)
DEEP = b"[" * 100000
CSV = metrics(TRAINING).to_csv(index=False).encode()
EVALUATIONS = b"updates,epoch,seconds,part,loss,accuracy\n5,0.5,1.5,test,2.0,0.25\n7,0.7,2.5,test,1.0,0.5\n"
PARAMETERS, METRICS, SHAPES = b"1.5,0\n-2,0\n0.25,0\n4,1\n", b"", b"3,1,0\n1,1,0\n"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run of two epochs, as a sweep leaves it."""
    path = tmp_path_factory.mktemp("runs") / run_name(TRAINING)
    folder = write_run(path, TRAINING, execution=EXECUTION)
    folder.write_result(Result.from_mapping(RESULT))
    for epoch in (1, 2):
        state = folder.checkpoint(epoch)
        state.mkdir(parents=True)
        (state / "parameters").write_bytes(PARAMETERS)
        write_matrix(
            state / "metrics",
            [[e, 5 * e, 40 * e, 1, 2, 0.5, 2, 0.25, 1, 0.5, 1, 2, 3] for e in range(1, epoch + 1)],
        )
        _seal(state)
    (path / "shapes").write_bytes(SHAPES)
    return folder


def _seal(state: Path) -> None:
    hashes = {
        name: hashlib.sha256((state / name).read_bytes()).hexdigest() for name in ("parameters", "metrics")
    }
    (state / "manifest.json").write_text(json.dumps(hashes))


def _use(folder: RunFolder) -> None:
    """All that reading a run's folder can be for, but for what changes it."""
    folder.result()
    folder.versions()
    folder.last_epoch()
    for read in (
        folder.settings,
        folder.images,
        folder.metrics,
        lambda: folder.check_data(dataset()),
        lambda: read_run(folder.path),
        lambda: compare(folder.path, folder.path).text(),
    ):
        try:
            read()
        except UserError as error:
            assert str(error)


def _with(file: Path, content: bytes) -> Iterator[None]:
    before = file.read_bytes()
    file.write_bytes(content)
    yield
    file.write_bytes(before)


@examples(100, 0.02)
@given(json_files(CONFIG))
@example(DEEP)
def test_settings(run: RunFolder, content: bytes) -> None:
    for _ in _with(run.path / "config.json", content):
        reads("config.json", run.settings)
        reads("config.json", run.images)


@examples(60, 0.01)
@given(json_files(json.dumps(RESULT)))
@example(DEEP)
def test_results(run: RunFolder, content: bytes) -> None:
    for _ in _with(run.result_file, content):
        result = reads("result.json", run.result)
        if isinstance(result, Result):
            format_results([TRAINING.to_mapping() | result.to_mapping()]).encode("utf-8", "surrogateescape")
        reads("result.json", lambda: read_run(run.path))


@examples(60, 0.01)
@given(mutated((EVALUATIONS,)))
@example(b"")
def test_evaluations(run: RunFolder, content: bytes) -> None:
    run.evaluations.file.write_bytes(EVALUATIONS)
    for _ in _with(run.evaluations.file, content):
        reads("evaluations.csv", run.evaluations.table)
        reads("evaluations.csv", lambda: read_run(run.path))


@examples(15, 0.002)
@given(json_files(json.dumps({"largebatch": "0.1.0", "cores": 2, "openblas": None})))
@example(DEEP)
def test_versions(run: RunFolder, content: bytes) -> None:
    for _ in _with(run.versions_file, content):
        reads("versions.json", run.versions)
        reads("versions.json", lambda: compare(run.path, run.path).text().encode())


@examples(60, 0.01)
@given(mutated((CSV,)))
@example(CSV.replace(b"\n", b"\r"))
@example(b"," * 70000 + b"\n")
def test_metrics(run: RunFolder, content: bytes) -> None:
    for _ in _with(run.metrics_file, content):
        reads("metrics.csv", run.metrics)


@examples(40, 0.004)
@given(
    st.sampled_from(("parameters", "metrics", "manifest.json")),
    mutated((PARAMETERS, CSV, b"{}", SHAPES)),
    st.booleans(),
)
@example("manifest.json", DEEP, False)
def test_checkpoints(run: RunFolder, name: str, content: bytes, sealed: bool) -> None:
    state = run.checkpoint(2)
    manifest = (state / "manifest.json").read_bytes()
    for _ in _with(state / name, content):
        if sealed:  # by one who wants it to be taken for whole
            _seal(state)
        reads("checkpoints", run.last_epoch)
        reads("checkpoints", lambda: run._rows_until(2, SOFTMAX))
        reads("checkpoints", lambda: run.arrays(2, SOFTMAX))
    (state / "manifest.json").write_bytes(manifest)


@examples(40, 0.03)
@given(mutated((SHAPES,)))
@example(b"-1,-1,0\n1e300,nan,0\n")
def test_shapes(run: RunFolder, content: bytes) -> None:
    for _ in _with(run.path / "shapes", content):
        reads("shapes", lambda: run.arrays(2, SOFTMAX))


STUDY_JSON = json.dumps(
    {
        "name": "sample", "title": "t", "description": "d", "largebatch": "0.1.0", "varied": ["seed"],
        "execution": EXECUTION.to_mapping(),
        "runs": [{"name": "a", "folder": "runs/a", "training": TRAINING.to_mapping()}],
    }
)  # fmt: skip


@examples(100, 0.01)
@given(json_files(STUDY_JSON))
@example(DEEP)
@example(STUDY_JSON.replace("runs/a", "../../x/a").encode())
@example(STUDY_JSON.replace("runs/a", "/etc/a").encode())
def test_studies_to_go_on_with(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "study.json").write_bytes(content)

    def go_on() -> None:
        folder = StudyFolder(tmp_path)
        folder.check(STUDY)
        folder.holds(STUDY)
        assert folder.run(TRAINING).path.resolve().is_relative_to(tmp_path)
        tasks = survey(STUDY, folder, {}, {})
        format_tasks(tasks, measured(tasks), 1)

    reads("study.json", go_on)


@examples(60, 0.01)
@given(json_files(STUDY_JSON))
@example(DEEP)
def test_studies_to_report(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "study.json").write_bytes(content)
    reads("study.json", lambda: read_study(tmp_path))


TRIAL = {**TRAINING.to_mapping(), "validation_rows": 6, "test_part": False}
CELL = {
    "budget": "epochs", "dimensions": ["learning_rate"], "rungs": [1, 2], "share": 0.5, "seeds": 1,
    "trials": ["a"],
}  # fmt: skip
TUNED_JSON = json.dumps(
    {
        **json.loads(STUDY_JSON),
        "runs": [{"name": "a", "folder": "runs/a", "training": TRIAL}],
        "tuning": {"cells": [CELL], "finals": [{"name": "b", "folder": "runs/b", "training": TRIAL}]},
    }
)


@examples(60, 0.01)
@given(json_files(TUNED_JSON), mutated((CSV,)))
@example(TUNED_JSON.replace('"seeds": 1', '"seeds": 1000000000').encode(), CSV)
@example(TUNED_JSON.replace('"share": 0.5', '"share": NaN').encode(), CSV)
@example(TUNED_JSON.replace('["a"]', '["a", "a"]').encode(), CSV)
@example(TUNED_JSON.encode(), CSV)
def test_studies_that_tune(tmp_path: Path, study: bytes, rows: bytes) -> None:
    for name, training in (("a", TRIAL), ("b", TRIAL)):
        folder = RunFolder(tmp_path / "runs" / name)
        if not folder.exists():
            write_run(folder.path, Training.from_mapping(training), execution=EXECUTION)
        folder.metrics_file.write_bytes(rows)
    (tmp_path / "study.json").write_bytes(study)

    def show() -> None:
        found = tuning.cells(read_study(tmp_path))
        if found:
            tuning.trials(found)
            tuning.tuned(found)
            part(found)

    reads("study.json", show)
    reads("study.json", lambda: StudyFolder(tmp_path).recorded_trials)


@examples(8, 0.0002)
@given(json_files(STUDY_JSON), mutated((CSV,)), json_files(json.dumps(RESULT)))
def test_reports(tmp_path: Path, study: bytes, rows: bytes, result: bytes) -> None:
    folder = RunFolder(tmp_path / "runs" / "a")
    if not folder.exists():
        write_run(folder.path, TRAINING, execution=EXECUTION)
    (tmp_path / "study.json").write_bytes(study)
    folder.metrics_file.write_bytes(rows)
    folder.result_file.write_bytes(result)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "draw", lambda results, cells, epochs: [])
        reads("report", lambda: report(tmp_path))


@examples(1, 2e-05)
@given(mutated((CSV,)))
@example(CSV.replace(b"0.", b"1e-300"))
def test_figures(tmp_path: Path, rows: bytes) -> None:
    if not (tmp_path / "study.json").exists():
        finished_study(tmp_path, [TRAINING])
    (tmp_path / "runs" / TRAINING.name / "metrics.csv").write_bytes(rows)
    reads("figures", lambda: report(tmp_path))
