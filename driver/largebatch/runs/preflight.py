"""What can be known before anything runs: settings that fit the data, memory, slots."""

from __future__ import annotations

from largebatch.data import Dataset
from largebatch.engine.batch_job import attached
from largebatch.engine.machine import available_memory
from largebatch.engine.spark import choose_master, shared_secret
from largebatch.errors import UserError
from largebatch.settings.execution import Execution
from largebatch.settings.networks import NETWORKS
from largebatch.settings.training import Training

COPIES_OF_DATA = 2  # the training images as read, and cut for the workers
JVM_BASE_BYTES = 200 * 2**20  # SystemDS, Spark, what the optimizer works on, and gaps between large arrays

ESTIMATE_MARGIN = 1.3  # by which the estimate may be too low

# SystemDS stores a matrix sparse below this share of numbers that are not zero: column and value for each.
DENSE_FROM = 0.4
SPARSE_BYTES = 12
DENSE_BYTES = 8


def check(training: Training, execution: Execution, dataset: Dataset, *, sessions: int = 1) -> list[str]:
    """Remarks on a run about to start in each of some sessions. Raises UserError if it can't work."""
    _check_images(training, dataset)
    _check_batch(training, dataset)
    if attached():
        return []  # slots and memory are those of a JVM that runs already
    master = choose_master(execution.master, training.workers)
    shared_secret(execution, master.url)
    return [r for r in (master.remark, *_memory_remarks(training, execution, dataset, sessions)) if r]


def heap_bytes(training: Training, mode: str, dataset: Dataset) -> int:
    """Estimate of the smallest heap that is enough for a run, all workers in the driver's JVM.

    With less it fails, or is slow: SystemDS writes matrices to disk, Java collects garbage all the time.
    Above the micro-batch it does not depend on the batch size.
    """
    of_train, of_test = dataset.nonzero
    train = _stored_bytes(of_train, dataset.train_images.size)
    data = COPIES_OF_DATA * train + _stored_bytes(of_test, dataset.test_images.size)
    if mode == "spark":  # it puts the workers' rows together as dense matrices
        together = (
            4 if dataset.height * dataset.width % 4 == 0 else 1
        )  # pixels a number: transport/folding.dml
        data += DENSE_BYTES * dataset.train_images.size // together - train
    rows_at_a_time = min(training.micro_batch, training.batch_size // training.workers)
    pixels = dataset.height * dataset.width * rows_at_a_time * training.workers
    maps = DENSE_BYTES * pixels * NETWORKS[training.network].values_per_pixel
    return JVM_BASE_BYTES + data + maps


def _stored_bytes(nonzero: int, size: int) -> int:
    """Bytes of a matrix in SystemDS, of which so many numbers are not zero."""
    return SPARSE_BYTES * nonzero if nonzero < DENSE_FROM * size else DENSE_BYTES * size


def updates_per_epoch(training: Training, rows: int) -> int:
    """Updates in an epoch over `rows` training rows, the uneven last one included."""
    of_each = rows // training.workers
    return -(-of_each // (training.batch_size // training.workers))


def _check_images(training: Training, dataset: Dataset) -> None:
    smallest = NETWORKS[training.network].min_side[training.padding]
    side = min(dataset.height, dataset.width)
    if side < smallest:
        raise UserError(
            f"--network {training.network} with --padding {training.padding} needs images of at least "
            f"{smallest} x {smallest}, {dataset.title} has {dataset.height} x {dataset.width}"
        )


def _check_batch(training: Training, dataset: Dataset) -> None:
    rows = len(dataset.train_images)
    largest = rows - rows % training.workers
    if training.batch_size > largest:
        raise UserError(
            f"--batch-size {training.batch_size} is more than the {rows} training rows of {dataset.title} "
            f"hold for {training.workers} workers; the largest is {largest}"
        )


def _memory_remarks(training: Training, execution: Execution, dataset: Dataset, sessions: int) -> list[str]:
    heap, there = execution.memory_bytes, available_memory()
    need = heap_bytes(training, execution.mode, dataset)
    if there is not None and heap * sessions > there:
        wanted, remedy = f"--memory {execution.memory}", "lower it"
        if sessions > 1:
            wanted, remedy = f"{wanted} for each of {sessions} sessions", "lower it or --jobs"
        raise UserError(f"{wanted} is more than the {there / 2**30:.1f} GB free here; {remedy}")
    if ESTIMATE_MARGIN * need > heap:
        return [
            f"About {need / 2**30:.1f} GB of heap are the least for this, --memory is {execution.memory}: "
            "it may run out, or be slow; raise --memory or lower --micro-batch."
        ]
    return []
