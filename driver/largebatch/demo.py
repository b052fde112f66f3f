"""What scripts/run.sh shows: LeNet by two optimizers at two batch sizes, in one session."""

from __future__ import annotations

from pathlib import Path

from largebatch import data, preflight
from largebatch.config import Execution, Training
from largebatch.data import Dataset, Report
from largebatch.errors import RunError
from largebatch.launch import Session
from largebatch.run_folder import RunFolder
from largebatch.table import format_results
from largebatch.train import Result, Run

OPTIMIZERS = ("sgd_momentum", "lars")
BATCH_SIZES = (512, 4096)


def demo(epochs: int, execution: Execution, data_dir: Path | None, runs: Path, report: Report) -> str:
    """Train, and return the table of results with the runs' folders below it.

    Raises RunError or UserError as the runs do.
    """
    dataset = _dataset(data_dir, report)
    trainings = [
        Training(dataset=dataset.name, optimizer=optimizer, batch_size=batch_size, epochs=epochs)
        for optimizer in OPTIMIZERS
        for batch_size in BATCH_SIZES
    ]
    for remark in preflight.check(trainings[-1], execution, dataset):
        report(remark)
    folder = _new_folder(runs)
    report(f"LeNet on {dataset.title}, {trainings[0].workers} workers, {execution.mode} mode")
    results = _train_all(trainings, execution, folder, dataset)
    return f"{dataset.title}\n{format_results(results)}\nRun folders: {folder}/*"


def _train_all(
    trainings: list[Training], execution: Execution, folder: Path, dataset: Dataset
) -> list[Result]:
    folders = [RunFolder.create(folder / t.name, t, execution, dataset) for t in trainings]
    with Session(execution, trainings[0].workers, folder / "log.txt") as session:
        return [
            Run(training, execution, run_folder, dataset).train_in(session)
            for training, run_folder in zip(trainings, folders, strict=True)
        ]


def _dataset(data_dir: Path | None, report: Report) -> Dataset:
    """MNIST where it can be had, else the digits that come with scikit-learn."""
    try:
        return data.load("mnist", data_dir, report=report)
    except RunError as error:
        report(f"{error}")
        report("The embedded digits (augmented) are used instead of MNIST.")
        return data.load("digits", report=report)


def _new_folder(runs: Path) -> Path:
    number = 1
    while (runs / f"demo-{number}").exists():
        number += 1
    return runs / f"demo-{number}"
