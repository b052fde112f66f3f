"""Settings that the Estimator has beside those of runs, and the names of all of them as Params."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from largebatch.errors import RunError, UserError
from largebatch.export import TRACKERS
from largebatch.settings.execution import Execution
from largebatch.settings.ranges import Choice, Real, Whole
from largebatch.settings.training import DataSettings, Training
from largebatch.settings.values import NotPassed, Setting, Settings, declared, setting

MOST_CLASSES = 2**15
SESSIONS = ("local", "own", "shared")
LAYOUTS = ("chw", "hwc")
_FIT = NotPassed("it concerns the DataFrame, or the Spark program")


def _shape(value: tuple[int, ...]) -> str | None:
    fits = not value or (len(value) == 3 and min(value) >= 1)
    return None if fits else f"{list(value)} must be [channels, height, width], each 1 or more"


def _trackers(value: tuple[str, ...]) -> str | None:
    unknown = [name for name in value if name not in TRACKERS]
    return f"{unknown} must be names of {', '.join(TRACKERS)}" if unknown else None


@dataclass(frozen=True)
class FitSettings(Settings):
    """How a DataFrame is read, and where the training runs."""

    image_shape: tuple[int, ...] = setting(
        (), "channels, height and width of an image; networks with convolutions need it, unless the column "
        "has Spark's images (default: none)", _shape, dml=_FIT,
    )  # fmt: skip
    image_layout: str = setting(
        "chw", "order of the numbers of an image: channel, row, column, or row, column, channel",
        Choice(LAYOUTS), dml=_FIT,
    )  # fmt: skip
    pixel_scale: float | None = setting(
        None, "features are divided by it (default: 255 for binary columns and images, 1 for others)",
        Real(above=0), dml=_FIT,
    )  # fmt: skip
    num_classes: int | None = setting(
        None, "number of classes (default: that of the label column's metadata, else the largest label + 1)",
        Whole(2, MOST_CLASSES), dml=_FIT,
    )  # fmt: skip
    session: str = setting(
        "local", "where it trains: in a JVM of its own on this machine, in a Spark application of its own, "
        "or in the SparkSession of the program", Choice(SESSIONS), dml=_FIT,
    )  # fmt: skip
    run_dir: str | None = setting(
        None, "folder on this machine to keep the run in; a later fit on the same rows goes on there "
        "(default: none is kept)", dml=_FIT,
    )  # fmt: skip
    track: tuple[str, ...] = setting(
        (), f"programs that follow the run: {', '.join(TRACKERS)} (default: none)", _trackers, dml=_FIT
    )
    verbose: bool = setting(True, "show remarks and progress on standard error", dml=_FIT)


# Names that differ from those of the command line, and what is no Param: the data are a DataFrame, the mode
# follows from the session.
_RENAMED = {"workers": "numWorkers", "memory": "driverMemory"}
_LEFT_OUT = {*declared(DataSettings), "mode"}
# Other options that sentences for the command line name.
_OPTIONS = {"out": "runDir", "resume": "runDir", "validation_rows": "validationIndicatorCol"}


def param_name(name: str) -> str:
    """The Param of a setting: batch_size is batchSize."""
    first, *others = name.split("_")
    return _RENAMED.get(name, first + "".join(word.capitalize() for word in others))


PARAMS: dict[type[Settings], dict[str, Setting]] = {
    settings: {
        param_name(name): one
        for name, one in declared(settings).items()
        if settings is FitSettings or name not in _LEFT_OUT
    }
    for settings in (FitSettings, Training, Execution)
}
SETTINGS = {name: one for params in PARAMS.values() for name, one in params.items()}


def respelt(sentence: str) -> str:
    """A sentence about options of the command line, about Params instead."""

    def name(option: re.Match[str]) -> str:
        words = option[1].replace("-", "_")
        return _OPTIONS.get(words, param_name(words))

    return re.sub(r"(?<![\w/'.-])--([a-z][a-z0-9-]*)", name, sentence)


@contextmanager
def about_params() -> Iterator[None]:
    """Errors of the program are raised with the names of Params in them."""
    try:
        yield
    except (UserError, RunError) as error:
        raise type(error)(respelt(str(error))) from error
