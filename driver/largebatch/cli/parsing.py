"""The command line's options for settings, and what options are converted to."""

from __future__ import annotations

import argparse
import dataclasses
import re
import typing
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from largebatch.data import SOURCES
from largebatch.errors import UserError
from largebatch.settings.execution import MODES, Execution
from largebatch.settings.networks import NETWORKS, PADDINGS
from largebatch.settings.optimizers import OPTIMIZERS, SCOPES
from largebatch.settings.schedules import SCHEDULES
from largebatch.settings.training import Training

_RATES = ", ".join(f"{name} {rate:g}" for name, rate in OPTIMIZERS.items())

_HELP = {
    "dataset": "data set",
    "network": "network",
    "padding": "zero padding of LeNet's convolutions",
    "optimizer": "optimizer",
    "batch_size": "rows of the global batch, a multiple of --workers",
    "epochs": "passes over the training rows",
    "workers": "parallel batches: workers of the parameter server",
    "learning_rate": f"global learning rate (default: {_RATES})",
    "momentum": "momentum",
    "weight_decay": "weight decay, inside the gradient",
    "trust_coefficient": "LARS' trust coefficient",
    "scope": "what gets a trust ratio of its own: a layer with its bias, or every array",
    "adapt_biases": "give biases a trust ratio too",
    "schedule": "learning-rate schedule",
    "decay": "of schedule inverse_time: rate / (1 + decay * updates)",
    "power": "of schedule polynomial",
    "end_learning_rate": "of schedule polynomial",
    "factor": "of schedule multi_step: rate * factor at each milestone",
    "milestones": "of schedule multi_step: fractions of all updates, separated by commas",
    "warmup_epochs": "epochs of linear warm-up, may be fractional",
    "micro_batch": "rows a worker computes on at a time; bounds the memory, not the result",
    "deterministic": "equal runs are equal to the last bit",
    "seed": "seed of start values and permutations",
    "mode": "where the workers run: spark (tasks on executors) or local (threads)",
    "master": "Spark master (default: local[WORKERS])",
    "memory": "heap of the driver's JVM",
    "native_blas": "use OpenBLAS if it is found",
    "stall_timeout": "seconds without progress after which a run is stopped",
    "conf": "a setting of Spark such as spark.executor.memory=2g; may be given several times (default: none)",
    "secure": "Spark's connections are authenticated and encrypted, see docs/clusters.md",
    "cluster_timeout": "seconds within which a cluster has to have slots for all workers",
}
_CHOICES = {
    "dataset": tuple(SOURCES),
    "network": tuple(NETWORKS),
    "padding": tuple(PADDINGS),
    "optimizer": tuple(OPTIMIZERS),
    "scope": SCOPES,
    "schedule": SCHEDULES,
    "mode": tuple(MODES),
}


def _fractions(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        message = f"{text!r} has to be numbers separated by commas, such as 0.5,0.75"
        raise argparse.ArgumentTypeError(message) from None


def _shown(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def add_settings(
    parser: argparse.ArgumentParser,
    settings: type[Training] | type[Execution],
    only: Collection[str] | None = None,
) -> None:
    """Options for the fields of a settings class, or some; those not given on the command line stay None."""
    hints = typing.get_type_hints(settings)
    for field in dataclasses.fields(settings):
        if only is not None and field.name not in only:
            continue
        help_text = _HELP[field.name]
        if field.default not in (None, ()):
            help_text += f" (default: {_shown(field.default)})"
        _add(parser, field.name, hints[field.name], help_text)


def _add(parser: argparse.ArgumentParser, name: str, hint: Any, help_text: str) -> None:
    flag = "--" + name.replace("_", "-")
    if hint is bool:
        parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=None, help=help_text)
        return
    if hint == tuple[str, ...]:
        parser.add_argument(flag, action="append", metavar="KEY=VALUE", help=help_text)
        return
    convert: Callable[[str], Any] = str
    if float in (hint, *typing.get_args(hint)):
        convert = _fractions if typing.get_origin(hint) is tuple else float
    elif hint is int:
        convert = int
    choices = _CHOICES.get(name)
    metavar = None if choices else name.rsplit("_", maxsplit=1)[-1].upper()
    parser.add_argument(flag, type=convert, choices=choices, metavar=metavar, help=help_text)


def given(arguments: argparse.Namespace, settings: type[Training] | type[Execution]) -> dict[str, Any]:
    """The settings that were given on the command line."""
    values = {f.name: getattr(arguments, f.name, None) for f in dataclasses.fields(settings)}
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in values.items()
        if value is not None
    }


def local_path(text: str) -> Path:
    """A path of this machine, also as a `file:` URI. Raises UserError for other URIs."""
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):/", text)
    if scheme is None:
        return Path(text)
    address = urlsplit(text)
    if address.scheme == "file" and address.netloc in ("", "localhost"):
        return Path(unquote(address.path))
    raise UserError(
        f"{text} is not on this machine: results and data are files of the driver's machine; "
        "name a folder there, which may be mounted from elsewhere"
    )


# ---- of `sweep` ----


def seconds(text: str) -> float:
    """A time such as 1h30m, 90m, 45s or 300 (seconds)."""
    parts = re.fullmatch(r"(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s?)?", text)
    if parts is None or not any(parts.groups()):
        raise argparse.ArgumentTypeError(f"{text!r} has to be a time such as 1h30m, 90m or 45s")
    hours, minutes, rest = (int(part or 0) for part in parts.groups())
    return 3600.0 * hours + 60 * minutes + rest


def positive(text: str) -> int:
    """A whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} has to be a whole number, 1 or more")
    return int(text)


def values_of_settings(text: str) -> list[tuple[str, str]]:
    """Settings with values wanted, such as optimizer=lars,batch_size=64,128."""
    found: list[tuple[str, str]] = []
    for part in text.split(","):
        name, equals, value = part.rpartition("=")
        name = name if equals else found[-1][0] if found else ""
        if not name or not value:
            raise argparse.ArgumentTypeError(f"{text!r} has to be like optimizer=lars,seed=1,2")
        found.append((name.strip().replace("-", "_"), value.strip()))
    return found


def grouped(values: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """The values of each setting."""
    found: dict[str, list[str]] = {}
    for name, value in values:
        found.setdefault(name, []).append(value)
    return found
