"""Studies that tune, with made-up results: trials that are recorded, but were never trained."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from largebatch.records.result import Result, Status
from largebatch.records.run_folder import RunFolder
from largebatch.records.study_folder import StudyFolder
from largebatch.settings.study import Study
from largebatch.settings.training import Training
from largebatch.settings.tuning import Cell, Dimension, Tuned, TuneSettings, Tuning, trial
from largebatch.tuning.sampling import points
from largebatch.tuning.select import Curve, standing
from tests.support.samples import dataset
from tests.support.study_samples import EXECUTION

RATES = Dimension("learning_rate", 0.01, 1, logarithmic=True)


def base(optimizer: str = "sgd_momentum", batch_size: int = 8, epochs: int = 8) -> Training:
    """What the trials of a cell share."""
    return Training(
        dataset="idx", network="softmax", optimizer=optimizer, batch_size=batch_size, epochs=epochs
    )


def cell(
    count: int, rungs: Sequence[int] = (8,), share: float = 0.25, seeds: int = 3, of: Training | None = None
) -> Cell:
    """A cell whose trials differ in their rates; its last rung is their end."""
    tuning = Tuning(
        TuneSettings(trials=2, validation_rows=6), dict.fromkeys(("sgd_momentum", "lars"), (RATES,))
    )
    like = of or base(epochs=rungs[-1])
    trials = tuple(trial(like, tuning, point) for point in points(count, 1, 1))
    return Cell("epochs", trials, ("learning_rate",), tuple(rungs), share, seeds)


def curve(status: str, *accuracies: float) -> Curve:
    """A curve with a row per accuracy; losses fall as these rise."""
    return Curve(status, accuracies, tuple(1 - value for value in accuracies), (1.0,) * len(accuracies))


def lookup(of: Cell, curves: Mapping[int, Curve]) -> dict[Training, Curve]:
    """The curves of a cell's trials, of which some have begun, by number from 1."""
    return {run: curves.get(number, Curve()) for number, run in enumerate(of.trials, start=1)}


# ---- in a folder ----


def write_tuned(
    path: Path,
    cells: Sequence[Cell],
    ended: Mapping[Training, tuple[str, Sequence[float]]],
    targets: tuple[float, ...] = (),
) -> Path:
    """The folder of a study that tunes: `ended` has the status and accuracies of each run that has begun.

    Accuracies are those of validation for trials, of the test part for final runs.
    """
    curves = {run: curve(status, *accuracies) for run, (status, accuracies) in ended.items()}
    trials = list(dict.fromkeys(trial for of in cells for trial in of.trials))
    finals = []
    for of in cells:
        best = standing(of, lambda run: curves.get(run, Curve())).best
        finals += [] if best is None else of.finals(best)
    tuned = Tuned(tuple(cells), tuple(finals))
    folder = StudyFolder(path)
    execution = dataclasses.replace(EXECUTION, target_accuracy=targets)
    with folder.lock():
        folder.write(Study("small", "A small study", "Made up.", tuple(trials)), execution, tuned)
    for run, (status, accuracies) in ended.items():
        _write_run(folder, run, status, accuracies)
    return path


def _write_run(folder: StudyFolder, run: Training, status: str, accuracies: Sequence[float]) -> None:
    part = "test" if run.test_part else "validation"
    created = RunFolder.create(folder.run(run).path, run, EXECUTION, dataset())
    rows = [
        {
            "epoch": epoch, "updates": 5 * epoch, "examples": 40 * epoch, "learning_rate": 0.1,
            "train_loss": 1 - accuracy, "train_accuracy": accuracy, f"{part}_loss": 1 - accuracy,
            f"{part}_accuracy": accuracy, "seconds": 2.0, "images_per_second": 20.0,
            "evaluation_seconds": 1.0,
        }
        for epoch, accuracy in enumerate(accuracies, start=1)
    ]  # fmt: skip
    pd.DataFrame(rows).to_csv(created.metrics_file, index=False)
    last = accuracies[-1] if status != "diverged" else None
    tested = last if run.test_part else None
    seconds = 3.0 * len(rows)
    created.write_result(
        Result(
            "tiny", run.network, run.optimizer, run.batch_size, len(rows), 5 * len(rows), last, tested,
            None if tested is None else 0.0, seconds, Status(status), run.seed, str(created.path),
        )
    )  # fmt: skip
