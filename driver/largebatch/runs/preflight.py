"""What can be known before anything runs: settings that fit the data, memory, slots."""

from __future__ import annotations

import numpy as np

from largebatch.data import Dataset
from largebatch.data.unlike import remarks
from largebatch.engine.host import Host
from largebatch.engine.master import choose_master, in_process
from largebatch.engine.own import OWN_JVM
from largebatch.engine.secret import shared_secret
from largebatch.errors import UserError
from largebatch.runs.executor_memory import share_remarks
from largebatch.runs.memory import DENSE_BYTES, ONE, Sessions, memory_remarks
from largebatch.settings.execution import Execution
from largebatch.settings.protocols import PROTOCOLS
from largebatch.settings.training import Training

MOST_SNAPSHOTS = 2000  # of an epoch, each of them the weights in a file
MOST_THAT_REMEMBER = 8  # workers whose past gradients travel in reasonable time


def check(
    training: Training,
    execution: Execution,
    dataset: Dataset,
    *,
    sessions: Sessions = ONE,
    host: Host = OWN_JVM,
) -> list[str]:
    """Remarks on a run about to start in each of some sessions. Raises UserError if it can't work."""
    _check_images(training, dataset)
    _check_batch(training, execution, dataset)
    _check_evaluations(training, execution, dataset)
    said = [_timing_remark(training), _traffic_remark(training), *_data_remarks(dataset)]
    said += host.remarks(execution)
    _check_mode(execution)
    if host.starts_jvm:  # else slots and memory are those of a JVM that runs already
        master = choose_master(execution.master, training.workers)
        shared_secret(execution, master.url)
        said += [master.remark, *memory_remarks(training, execution, dataset, sessions)]
        said += share_remarks(training, execution, dataset)
    return [remark for remark in said if remark]


def _check_mode(execution: Execution) -> None:
    """Local mode on a cluster would hold the cluster's cores, and train on the driver's alone."""
    if execution.mode == "local" and execution.master and not in_process(execution.master):
        raise UserError(
            f"--master {execution.master} is for --mode spark; in local mode workers are threads on this "
            "machine: give --mode spark, or leave out --master"
        )


def updates_per_epoch(training: Training, rows: int) -> int:
    """Updates in the first epoch over `rows` training rows, the uneven last one included."""
    return updates_after(training, rows, 1)


def updates_after(training: Training, rows: int, epochs: int) -> int:
    """Updates after some epochs over `rows` training rows, if no gradient is dropped."""
    k = training.workers
    batches = -(-(rows // k) // (training.batch_size // k))  # of each worker, in an epoch
    return epochs * k * batches // training.gradients_per_update(k)


def snapshots_per_epoch(training: Training, rows: int) -> int:
    """Snapshots for evaluation that an epoch over `rows` training rows leaves, at most."""
    every = training.evaluate_every
    return -(-updates_per_epoch(training, rows) // every) if every else 0


def _check_evaluations(training: Training, execution: Execution, dataset: Dataset) -> None:
    asked = "--evaluate-every" if training.evaluate_every else ""
    asked = "--target-accuracy" if execution.target_accuracy else asked
    if asked and set(dataset.parts) == {"train"}:
        lacks = f"which {dataset.title} lacks" if training.test_part else "and --no-test-part leaves none"
        raise UserError(f"{asked} needs a validation or a test part, {lacks}: give --validation-rows")
    updates = updates_per_epoch(training, len(dataset.train))
    if snapshots_per_epoch(training, len(dataset.train)) > MOST_SNAPSHOTS:
        raise UserError(
            f"--evaluate-every {training.evaluate_every} keeps the weights of more than {MOST_SNAPSHOTS} of "
            f"the {updates} updates of an epoch: raise it to at least {-(-updates // MOST_SNAPSHOTS)}"
        )


def _check_images(training: Training, dataset: Dataset) -> None:
    smallest = training.architecture.min_side[training.padding]
    images = dataset.images
    if dataset.train.X.ndim == 2:
        _check_features(training, dataset, smallest > 1)
        return
    if 0 < training.pad_to < max(images.height, images.width):
        raise UserError(
            f"--pad-to {training.pad_to} is less than the {images.height} x {images.width} pixels of "
            f"{dataset.title}: leave it out or raise it"
        )
    padded = images.padded(training.pad_to)
    if min(padded.height, padded.width) < smallest:
        padding = f" with --padding {training.padding}" if training.belongs("padding") else ""
        raise UserError(
            f"--network {training.network}{padding} needs images of at least "
            f"{smallest} x {smallest}, {dataset.title} has {images.height} x {images.width}: "
            f"--pad-to {max(smallest, images.height, images.width)} or more puts zeros around them"
        )


def _check_features(training: Training, dataset: Dataset, needs_images: bool) -> None:
    """Raises UserError for settings that count for images alone."""
    features = f"needs images, {dataset.title} has rows of {dataset.images.width} features"
    shape = "give the shape of images by --image-shape"
    if needs_images:
        raise UserError(f"--network {training.network} {features}: choose mlp or softmax, or {shape}")
    if training.augment != "none":
        raise UserError(f"--augment {training.augment} {features}: leave it out, or {shape}")
    if training.pad_to:
        raise UserError(f"--pad-to {training.pad_to} {features}: leave it out, or {shape}")


def _timing_remark(training: Training) -> str:
    """That equal runs differ, with a protocol whose updates depend on timing; empty with others."""
    if PROTOCOLS[training.protocol].reproducible:
        return ""
    return f"--protocol {training.protocol}: updates depend on timing, so the run is not reproducible."


def _data_remarks(dataset: Dataset) -> list[str]:
    """What is odd about the data, though they can be trained on."""
    rows_of_class = np.bincount(dataset.train.y, minlength=dataset.classes)
    absent = np.flatnonzero(rows_of_class == 0)
    found = []
    if len(absent):
        mend = ": do the labels count from 1?" if absent[0] == 0 else ""
        of = f"{absent[0]}, of {dataset.classes} classes from 0"
        found.append(f"{dataset.title} has no training row of class {of}{mend}")
    if dataset.test is not None and remarks(dataset.test.X, dataset.images, dataset.train.look, ""):
        usual, other = dataset.train.look, dataset.test.look
        found.append(
            f"the test part of {dataset.title} looks unlike its training part: {other.light:.0%} of its "
            f"pixels are light, not {usual.light:.0%}, and the largest is {other.highest:g}, not "
            f"{usual.highest:g}: were both made in the same way?"
        )
    return found


def _traffic_remark(training: Training) -> str:
    """What extrapolation along past gradients costs with many workers; empty with few."""
    extrapolates = training.belongs("extrapolation") and training.extrapolation == "past_gradient"
    k = training.workers
    if not extrapolates or k <= MOST_THAT_REMEMBER:
        return ""
    return (
        f"--optimizer {training.optimizer} sends the last gradients of all {k} workers to each of them: "
        f"{k * k * DENSE_BYTES} bytes per parameter and update, which take longer than the gradient itself."
    )


def _check_batch(training: Training, execution: Execution, dataset: Dataset) -> None:
    rows, workers = len(dataset.train), training.workers
    cut, taken = training.validation_rows, training.train_rows
    left = f" that --validation-rows {cut} leaves" if cut else ""
    left = f" that --train-rows {taken} takes" if taken else left
    if rows < workers:
        raise UserError(
            f"the {rows} training rows{left} of {dataset.title} are fewer than --workers {workers}: "
            f"lower it to {rows} or less"
        )
    largest = rows - rows % workers
    if training.batch_size > largest:
        raise UserError(
            f"--batch-size {training.batch_size} is more than the {rows} training rows{left} of "
            f"{dataset.title}: with --workers {workers} the largest is {largest}"
        )
    if execution.mode == "local" and workers > 1 and rows < 2 * workers:
        raise UserError(
            f"the {rows} training rows{left} of {dataset.title} are a single one for each of --workers "
            f"{workers}, which SystemDS' local workers can't have: lower it to {max(1, rows // 2)} or less"
        )
