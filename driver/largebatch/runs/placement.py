"""Who holds the rows of a run's data: the driver, or the executors, each worker its share."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from largebatch.data import Dataset
from largebatch.data.dataset import PreparedData
from largebatch.engine.session import Session
from largebatch.runs.memory import fit_driver
from largebatch.runs.prepare import prepare
from largebatch.runs.shards import written
from largebatch.settings.execution import Execution
from largebatch.settings.training import Training


def settled(training: Training, execution: Execution, dataset: Dataset) -> Training:
    """The run with a placement in place of `auto`: that of executors, if the driver can't hold the rows."""
    if training.data_placement != "auto":
        return training
    placement = "driver" if fit_driver(training, execution, dataset) else "executors"
    return dataclasses.replace(training, data_placement=placement)


@contextmanager
def placed(
    training: Training, dataset: Dataset, session: Session, home: Path | None
) -> Iterator[PreparedData]:
    """The files of a run's data. `home` is the folder for them, by default one in the user's cache.

    Raises RunError if they can't be written or the session fails.
    """
    if training.data_placement == "executors":
        with written(dataset, training.workers, training.seed, home) as data:
            yield data
    else:
        yield prepare(dataset, session, home)
