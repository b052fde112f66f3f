"""fit: from a DataFrame and Params to a trained network. Fits in one process take turns."""

from __future__ import annotations

import dataclasses
import functools
import threading
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame

from largebatch.data import Dataset
from largebatch.engine.host import Host
from largebatch.errors import RunError, UserError
from largebatch.export import require_packages
from largebatch.export.watch import watching
from largebatch.files.passing import room, told_of_cache
from largebatch.ml.columns import check_frame, check_outputs
from largebatch.ml.gather import NAME, Pixels, as_dataset, gather
from largebatch.ml.params import thresholds
from largebatch.ml.sessions import MODES, check_execution, host_for
from largebatch.ml.settings import PARAMS, FitSettings
from largebatch.ml.survey import Columns, Survey, survey
from largebatch.ml.trained import Trained
from largebatch.models.model import Model
from largebatch.records.result import Result, Status
from largebatch.records.run_folder import RunFolder
from largebatch.runs import preflight
from largebatch.runs.job import Job, carry_out
from largebatch.runs.memory import DENSE_BYTES
from largebatch.runs.placement import settled
from largebatch.settings.execution import Execution
from largebatch.settings.training import Training
from largebatch.settings.values import Settings
from largebatch.terminal.progress import Progress
from largebatch.terminal.say import Say, say

_TURN = threading.Lock()


@dataclass(frozen=True)
class Fit:
    """A fit to carry out: its settings, columns, and the JVM to train in."""

    settings: FitSettings
    training: Training
    execution: Execution
    columns: Columns
    host: Host
    spark: Any
    estimator: Any

    @classmethod
    def of(cls, estimator: Any, dataset: DataFrame) -> Fit:
        """Raises UserError for Params that do not go together, or with the DataFrame's columns."""
        check_frame(dataset)
        settings = FitSettings(**_given(estimator, FitSettings))
        training = Training.from_given({"dataset": NAME} | _given(estimator, Training, chosen=True))
        mode = MODES[settings.session]
        execution = Execution.from_mapping({"mode": mode} | _given(estimator, Execution))
        check_execution(settings.session, execution)
        _check_trackers(settings)
        validation = estimator.validationIndicatorCol
        columns = Columns.of(
            dataset,
            estimator.getFeaturesCol(),
            estimator.getLabelCol(),
            estimator.getOrDefault(validation) if estimator.isDefined(validation) else None,
        )
        check_outputs(dataset, estimator)
        spark = dataset.sparkSession
        return cls(
            settings, training, execution, columns, host_for(settings.session, spark), spark, estimator
        )

    @property
    def say(self) -> Say:
        """Where remarks go."""
        return say if self.settings.verbose else lambda line: None


def _given(estimator: Any, settings: type[Settings], *, chosen: bool = False) -> dict[str, Any]:
    """The values of an Estimator's Params for a class of settings, or only those that its user has chosen."""
    params = {one.name: estimator.getParam(name) for name, one in PARAMS[settings].items()}
    wanted = estimator.isSet if chosen else estimator.isDefined
    values = {name: estimator.getOrDefault(param) for name, param in params.items() if wanted(param)}
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in values.items()
        if value is not None  # as a grid may have it, for "not set"
    }


def _check_trackers(settings: FitSettings) -> None:
    require_packages(settings.track)
    if "tensorboard" in settings.track and settings.run_dir is None:
        raise UserError("track has tensorboard, whose files lie in the run's folder: set runDir, too")


def fit(wanted: Fit, dataset: DataFrame) -> Trained:
    """Train. Raises UserError for what can't be trained on, RunError if the training fails."""
    with _TURN, room() as scratch:
        wanted.host.require_tools()
        found = survey(dataset, wanted.columns, wanted.settings.num_classes)
        thresholds(wanted.estimator, found.classes)
        image = _image(wanted, found)
        _check_heap(wanted, found)
        order = wanted.columns.features.order(wanted.settings.image_layout)
        pixels = Pixels(image or (1, 1, found.width), order)
        rows = gather(dataset, wanted.columns, found, pixels, _files(wanted, found, scratch))
        scale = wanted.settings.pixel_scale or wanted.columns.features.scale
        data = as_dataset(rows, image, scale, found.classes)
        del rows
        return _fit_rows(wanted, data, scale, scratch)


def _fit_rows(wanted: Fit, data: Dataset, scale: float, scratch: Path) -> Trained:
    training = settled(wanted.training, wanted.execution, data, wanted.host)
    wanted = dataclasses.replace(wanted, training=training)
    for remark in preflight.check(wanted.training, wanted.execution, data, host=wanted.host):
        wanted.say(remark)
    return _train(wanted, data, _folder(wanted, data, scratch), scale, scratch)


def _image(wanted: Fit, found: Survey) -> tuple[int, int, int] | None:
    """The size of the images; None if the rows are plain features."""
    given = wanted.settings.image_shape
    if found.image and given and found.image != given:
        raise UserError(f"imageShape is {list(given)}, and the images are {list(found.image)}: leave it out")
    image = found.image or given
    if not image:
        if wanted.training.architecture.needs_images:
            raise UserError(
                f"network {wanted.training.network!r} needs images: set imageShape=[channels, height, width] "
                "or another network"
            )
        return None
    C, H, W = image
    if found.width != C * H * W:
        raise UserError(f"imageShape {list(image)} has {C * H * W} numbers, the rows have {found.width}")
    return C, H, W


def _check_heap(wanted: Fit, found: Survey) -> None:
    """Raises UserError, before any row moves, if the JVM is to hold them, and can't as doubles even once."""
    need, heap = _bytes_and_heap(wanted, found)
    if wanted.training.data_placement == "driver" and need > heap:
        raise UserError(
            f"{found.rows} rows of {found.width} numbers are {need / 2**30:.1f} GB as doubles, and the JVM "
            f"that trains has a heap of {heap / 2**30:.1f} GB: {wanted.host.more_memory(wanted.execution)}, "
            "or take fewer rows"
        )


def _files(wanted: Fit, found: Survey, scratch: Path) -> Path | None:
    """The folder for rows that executors write, so that neither this process nor the JVM ever holds them."""
    if not _in_files(wanted, found):
        return None
    files = scratch / "rows"
    with told_of_cache(scratch.parent):
        files.mkdir()
    return files


def _in_files(wanted: Fit, found: Survey) -> bool:
    if wanted.training.data_placement == "auto" and wanted.execution.mode == "spark":
        need, heap = _bytes_and_heap(wanted, found)
        return need > heap
    return wanted.training.data_placement == "executors"


def _bytes_and_heap(wanted: Fit, found: Survey) -> tuple[int, int]:
    """Bytes of the rows as doubles, and of the heap of the JVM that trains."""
    return found.rows * found.width * DENSE_BYTES, wanted.host.heap_bytes(wanted.execution)


def _folder(wanted: Fit, data: Dataset, scratch: Path) -> RunFolder:
    """A new run's folder, or the kept one of an earlier fit on the same rows and Params."""
    if wanted.settings.run_dir is None:
        return RunFolder.create(scratch / wanted.training.name, wanted.training, wanted.execution, data)
    folder = RunFolder(Path(wanted.settings.run_dir).expanduser())
    if not folder.exists():
        return RunFolder.create(folder.path, wanted.training, wanted.execution, data)
    before, _ = folder.settings()
    changed = [
        one.name for one in fields(before) if getattr(before, one.name) != getattr(wanted.training, one.name)
    ]
    if changed:
        flags = ", ".join("--" + name.replace("_", "-") for name in changed)
        raise UserError(f"runDir {folder.path} was begun with another {flags}: name another folder")
    try:
        folder.check_data(data)
    except UserError:
        raise UserError(f"runDir {folder.path} was begun on other rows: name another folder") from None
    return folder


def _train(wanted: Fit, data: Dataset, folder: RunFolder, scale: float, scratch: Path) -> Trained:
    title = f"{wanted.training.optimizer} {wanted.training.batch_size}"
    new_progress = functools.partial(Progress, title, wanted.training.epochs)
    job = Job(
        wanted.training,
        wanted.execution,
        data,
        folder,
        new_progress=new_progress if wanted.settings.verbose else None,
        prepared_in=scratch / "prepared",
    )
    result = _carry_out(wanted, job, folder)
    if result.status == Status.DIVERGED:
        raise RunError(
            f"the training diverged in epoch {result.epochs}: its loss or weights are no numbers of use; "
            "lower --learning-rate"
        )
    return Trained(Model.of_run(folder, wanted.say), scale, wanted.settings.image_layout, folder.metrics())


def _carry_out(wanted: Fit, job: Job, folder: RunFolder) -> Result:
    """Carry out the job. Raises RunError, which names the log only if that is kept."""
    try:
        with watching(folder.path, wanted.settings.track, wanted.say):
            return carry_out(job, folder, wanted.host)
    except OSError as error:
        raise RunError(f"{folder.path} cannot be written: {error.strerror or error}") from error
    except RunError as error:
        gone = "" if wanted.settings.run_dir else f"; see {folder.log}"
        raise RunError(str(error).removesuffix(gone)) from error
