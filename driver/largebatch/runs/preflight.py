"""What can be known before anything runs: settings that fit the data, memory, slots."""

from __future__ import annotations

from largebatch.data import Dataset
from largebatch.engine.host import Host
from largebatch.engine.master import choose_master
from largebatch.engine.own import OWN_JVM
from largebatch.engine.secret import shared_secret
from largebatch.errors import UserError
from largebatch.runs.memory import memory_remarks
from largebatch.settings.execution import Execution
from largebatch.settings.networks import NETWORKS
from largebatch.settings.training import Training


def check(
    training: Training,
    execution: Execution,
    dataset: Dataset,
    *,
    sessions: int = 1,
    host: Host = OWN_JVM,
) -> list[str]:
    """Remarks on a run about to start in each of some sessions. Raises UserError if it can't work."""
    _check_images(training, dataset)
    _check_batch(training, dataset)
    if not host.starts_jvm:
        return []  # slots and memory are those of a JVM that runs already
    master = choose_master(execution.master, training.workers)
    shared_secret(execution, master.url)
    return [r for r in (master.remark, *memory_remarks(training, execution, dataset, sessions)) if r]


def updates_per_epoch(training: Training, rows: int) -> int:
    """Updates in an epoch over `rows` training rows, the uneven last one included."""
    of_each = rows // training.workers
    return -(-of_each // (training.batch_size // training.workers))


def _check_images(training: Training, dataset: Dataset) -> None:
    smallest = NETWORKS[training.network].min_side[training.padding]
    images = dataset.images
    if min(images.height, images.width) < smallest:
        raise UserError(
            f"--network {training.network} with --padding {training.padding} needs images of at least "
            f"{smallest} x {smallest}, {dataset.title} has {images.height} x {images.width}"
        )


def _check_batch(training: Training, dataset: Dataset) -> None:
    rows = len(dataset.train)
    largest = rows - rows % training.workers
    if training.batch_size > largest:
        cut = training.validation_rows
        left = f" that --validation-rows {cut} leaves" if cut else ""
        raise UserError(
            f"--batch-size {training.batch_size} is more than the {rows} training rows{left} of "
            f"{dataset.title} hold for {training.workers} workers; the largest is {largest}"
        )
