"""Who holds the rows of a run's data: the driver, or the executors, each worker its share."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from largebatch.data import Dataset
from largebatch.data.dataset import PreparedData
from largebatch.engine.host import Host
from largebatch.engine.session import Session
from largebatch.runs.memory import fit_driver
from largebatch.runs.prepare import prepare
from largebatch.runs.shards import written
from largebatch.settings.execution import Execution
from largebatch.settings.training import Training


def settled(training: Training, execution: Execution, dataset: Dataset, host: Host) -> Training:
    """The run with a placement in place of `auto`: that of executors, if the driver can't hold the rows."""
    if training.data_placement != "auto":
        return training
    if fit_driver(training, execution.mode, host.heap_bytes(execution), dataset):
        return dataclasses.replace(training, data_placement="driver", reshuffle_every=0)
    return dataclasses.replace(training, data_placement="executors")


def deal_of(training: Training, epoch: int) -> int:
    """How often rows have moved between workers before an epoch, counted from 1."""
    every = training.reshuffle_every
    return (epoch - 1) // every if every else 0


@contextmanager
def placed(
    training: Training, deal: int, dataset: Dataset, session: Session, home: Path | None
) -> Iterator[PreparedData]:
    """The files of a run's data; of its shares after so many deals, see `deal_of`.

    `home` is the folder for them, by default one in the user's cache. Raises RunError if they can't be
    written or the session fails.
    """
    if training.data_placement == "executors":
        with written(dataset, training, deal, home) as data:
            yield data
    else:
        yield prepare(dataset, session, home)
