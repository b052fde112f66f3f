"""What can be known before anything runs: settings that fit the data, memory, slots."""

from __future__ import annotations

from largebatch.batch_job import attached
from largebatch.config import Execution, Training
from largebatch.data import Dataset
from largebatch.errors import UserError
from largebatch.machine import available_memory
from largebatch.registry import NETWORKS
from largebatch.spark import choose_master, shared_secret

COPIES_OF_DATA = 3  # the training images as read, permuted, and cut for the workers
JVM_BASE_BYTES = 600 * 2**20  # SystemDS, Spark and what the optimizer works on


def check(training: Training, execution: Execution, dataset: Dataset, *, sessions: int = 1) -> list[str]:
    """Remarks on a run about to start in each of some sessions. Raises UserError if it can't work."""
    _check_images(training, dataset)
    _check_batch(training, dataset)
    if attached():
        return []  # slots and memory are those of a JVM that runs already
    master = choose_master(execution.master, training.workers)
    shared_secret(execution, master.url)
    return [r for r in (master.remark, *_memory_remarks(training, execution, dataset, sessions)) if r]


def heap_bytes(training: Training, dataset: Dataset) -> int:
    """Estimate of the heap that a run needs. It does not depend on the batch size."""
    pixels = dataset.height * dataset.width
    rows = len(dataset.train_images)
    data = 8 * pixels * (rows * COPIES_OF_DATA + len(dataset.test_images))
    rows_at_a_time = min(training.micro_batch, training.batch_size // training.workers)
    maps = 8 * pixels * NETWORKS[training.network].values_per_pixel * rows_at_a_time * training.workers
    return JVM_BASE_BYTES + data + maps


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
    heap, need, there = execution.memory_bytes, heap_bytes(training, dataset), available_memory()
    if there is not None and heap * sessions > there:
        wanted, remedy = f"--memory {execution.memory}", "lower it"
        if sessions > 1:
            wanted, remedy = f"{wanted} for each of {sessions} sessions", "lower it or --jobs"
        raise UserError(f"{wanted} is more than the {there / 2**30:.1f} GB free here; {remedy}")
    if need > heap:
        return [
            f"About {need / 2**30:.1f} GB of heap are wanted, --memory is {execution.memory}: "
            "it may run out, or be slow; raise --memory or lower --micro-batch."
        ]
    return []
