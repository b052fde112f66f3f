"""The heap that a run needs, estimated before it starts."""

from __future__ import annotations

from dataclasses import dataclass

from largebatch.data import Dataset
from largebatch.data.dataset import Images, Part
from largebatch.engine.machine import available_memory
from largebatch.engine.master import in_process
from largebatch.errors import UserError
from largebatch.settings.execution import Execution
from largebatch.settings.networks import PADDINGS
from largebatch.settings.training import Training

# Heap for the workers' shares of the rows, in sizes of these: on Spark 4.2 was too little and 6.9 enough.
COPIES_OF_SHARES = {"spark": 7.0, "local": 4.0}
COPIES_OF_DATA = 3  # the training images as read, permuted, and cut for the workers
JVM_BASE_BYTES = 200 * 2**20  # SystemDS, Spark, what the optimizer works on, and gaps between large arrays

ESTIMATE_MARGIN = 1.3  # by which the estimate may be too low

FURTHER_CHANNEL = 2  # doubles per pixel of a micro-batch for each channel after the first

# SystemDS stores a matrix sparse below this share of numbers that are not zero: column and value for each.
DENSE_FROM = 0.4
SPARSE_BYTES = 12
DENSE_BYTES = 8
PLANNED_SHARE = 0.7  # of the heap, which SystemDS keeps matrices in


@dataclass(frozen=True)
class Sessions:
    """How many sessions are open at once, and the options that lower the number."""

    number: int = 1
    options: str = "--jobs"


ONE = Sessions()


def memory_remarks(
    training: Training, execution: Execution, dataset: Dataset, sessions: Sessions
) -> list[str]:
    """A remark if the heap may be too small. Raises UserError if the machine has less than the heaps take."""
    heap, there = execution.memory_bytes, available_memory()
    need = heap_bytes(training, execution.mode, dataset, execution.master)
    if there is not None and heap * sessions.number > there:
        wanted, remedy = f"--memory {execution.memory}", "lower it"
        if sessions.number > 1:
            wanted = f"{wanted} for each of {sessions.number} sessions"
            remedy = f"lower it or {sessions.options}"
        raise UserError(f"{wanted} is more than the {there / 2**30:.1f} GB free here; {remedy}")
    if ESTIMATE_MARGIN * need > heap:
        trains_on_it = bool(training.architecture.norms)  # another --micro-batch is another training
        remedy = "raise --memory" if trains_on_it else "raise --memory or lower --micro-batch"
        if training.data_placement == "driver" and not fit_driver(training, execution.mode, heap, dataset):
            remedy = "raise --memory or begin a run with --data-placement executors"
        return [
            f"About {need / 2**30:.1f} GB of heap are the least for this, --memory is {execution.memory}: "
            f"it may run out, or be slow; {remedy}."
        ]
    return []


def fit_driver(training: Training, mode: str, heap: int, dataset: Dataset) -> bool:
    """Whether the driver's heap holds the training data as they are permuted."""
    return mode != "spark" or driver_bytes(training, dataset.train, dataset.images) <= heap


def driver_bytes(training: Training, train: Part, images: Images) -> int:
    """The driver's heap for the training data as dense numbers twice, before and after they are permuted."""
    laid_out = training.architecture.convolutions and training.augment == "none"
    around = 2 * PADDINGS[training.padding] if laid_out else 0
    size = images.padded(training.pad_to)
    pixels = size.channels * (size.height + around) * (size.width + around)
    numbers = len(train) * pixels // (4 if packable(train, size.pixels) else 1)
    return int(2 * DENSE_BYTES * numbers / PLANNED_SHARE)


def heap_bytes(training: Training, mode: str, dataset: Dataset, master: str | None = None) -> int:
    """Estimate of the smallest heap that is enough for a run, all workers in the driver's JVM.

    If executors hold the rows and are JVMs of their own, the driver's heap needs little beside the model.

    With less the run fails, or is slow: SystemDS writes matrices to disk, Java collects garbage all the time.
    Above the micro-batch the estimate does not depend on the batch size.
    """
    if training.data_placement == "executors":
        if mode == "spark" and master is not None and not in_process(master):
            return JVM_BASE_BYTES
        shares = COPIES_OF_SHARES[mode] * training.workers * share_bytes(training.workers, dataset)
        return JVM_BASE_BYTES + int(shares) + maps_bytes(training, dataset.images)
    train, images = dataset.train, dataset.images.padded(training.pad_to)
    stored = {name: _stored_bytes(part, images.pixels) for name, part in dataset.parts.items()}
    data = (COPIES_OF_DATA - 1) * stored["train"] + sum(stored.values())
    if 0 < training.evaluate_train_rows < len(train):
        data += stored["train"] * training.evaluate_train_rows // len(train)
    if mode == "spark":  # it puts the workers' rows together as dense matrices
        numbers = len(train) * images.pixels // (4 if packable(train, images.pixels) else 1)
        data += DENSE_BYTES * numbers - stored["train"]
    return JVM_BASE_BYTES + data + maps_bytes(training, dataset.images)


def maps_bytes(training: Training, size: Images) -> int:
    """What the maps of the workers' micro-batches take, of images of a size before zeros are put around."""
    rows = min(training.rows_at_a_time, training.batch_size // training.workers)
    return training.workers * bytes_of_rows(training, size, rows)


def bytes_of_rows(training: Training, size: Images, rows: int) -> int:
    """What the maps of so many rows take."""
    images, network = size.padded(training.pad_to), training.architecture
    values_per_pixel = network.values_per_pixel + FURTHER_CHANNEL * (images.channels - 1)
    values_per_row = images.height * images.width * values_per_pixel + network.values_per_row
    return DENSE_BYTES * rows * values_per_row


def share_bytes(workers: int, dataset: Dataset) -> int:
    """Bytes of a worker's share of all parts, four bytes of images packed into a number if they can be."""
    rows = sum(-(-len(part) // workers) for part in dataset.parts.values())
    return DENSE_BYTES * rows * dataset.images.pixels // (4 if all_packable(dataset) else 1)


def all_packable(dataset: Dataset) -> bool:
    """Whether a share holds four pixels as a number."""
    return all(packable(part, dataset.images.pixels) for part in dataset.parts.values())


def packable(part: Part, pixels: int) -> bool:
    """Whether Spark's workers are sent four pixels of X as one: `packable` of dml/transport/folding.dml.

    `pixels` counts those of an image, with the zeros around it.
    """
    return pixels % 4 == 0 and part.in_bytes


def _stored_bytes(part: Part, pixels: int) -> int:
    """Bytes of X, with so many pixels in an image, as a matrix in SystemDS."""
    numbers = len(part) * pixels
    sparse = part.nonzero < DENSE_FROM * numbers
    return SPARSE_BYTES * part.nonzero if sparse else DENSE_BYTES * numbers
