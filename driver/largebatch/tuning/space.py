"""The space of an optimizer, from a table [space.OPTIMIZER] or from those that come with the program."""

from __future__ import annotations

import tomllib
import typing
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from largebatch.errors import UserError
from largebatch.settings.training import DataSettings, Training
from largebatch.settings.tuning import Dimension, Space
from largebatch.settings.values import check, declared

COMPLEMENT = "one_minus_"
SCALES = ("linear", "log")
NOT_TUNED = (
    *declared(DataSettings),
    "optimizer",
    "batch_size",
    "batch_size_per_worker",
    "epochs",
    "workers",
    "seed",
)
_RANGE, _VALUES = {"low", "high", "scale"}, {"values"}


@cache
def defaults() -> Mapping[str, Space]:
    """The spaces that come with the program, by optimizer."""
    text = files(__package__).joinpath("spaces.toml").read_text(encoding="utf-8")
    return {optimizer: read(table, optimizer) for optimizer, table in tomllib.loads(text).items()}


def default(optimizer: str) -> Space:
    """The optimizer's space that comes with the program. Raises UserError if there is none."""
    check(
        optimizer in defaults(),
        f"{optimizer} has no space of its own here: give it a table [space.{optimizer}]",
    )
    return defaults()[optimizer]


def read(table: Mapping[str, Any], optimizer: str) -> Space:
    """The space that a table describes. Raises UserError, with the key in its sentence."""
    space = tuple(_dimension(key, value, optimizer) for key, value in table.items())
    names = [dimension.setting for dimension in space]
    for name in names:
        check(names.count(name) == 1, f"{COMPLEMENT}{name} and {name} are one setting: leave out one of them")
    return space


def _dimension(key: str, value: Any, optimizer: str) -> Dimension:
    name = key.removeprefix(COMPLEMENT)
    _check_name(key, name, optimizer)
    if not isinstance(value, dict):
        dimension = Dimension(name, values=(_plain(name, value),))
    elif set(value) == _VALUES and isinstance(value["values"], list) and value["values"]:
        dimension = Dimension(name, values=tuple(_plain(name, one) for one in value["values"]))
    else:
        return _range(key, name, value, optimizer)
    check(key == name, f"{key} needs a range, {{ low = ..., high = ... }}")
    _check_values(key, dimension, optimizer)
    return dimension


def _range(key: str, name: str, value: Mapping[str, Any], optimizer: str) -> Dimension:
    ends = [value.get(end) for end in ("low", "high")]
    numbers = [float(end) for end in ends if isinstance(end, int | float) and not isinstance(end, bool)]
    check(
        len(numbers) == 2 and set(value) <= _RANGE,
        f'{key} must be a value, {{ values = [...] }}, or {{ low = ..., high = ..., scale = "log" }}',
    )
    check(
        _is_real(name),
        f"{key} is no real number: list its values, {{ values = [...] }}",
    )
    scale = value.get("scale", "linear")
    check(scale in SCALES, f"{key} has the scale {scale!r}; there are {', '.join(SCALES)}")
    low, high = numbers
    check(low < high, f"{key} has low {low:g}, which must be less than its high {high:g}")
    check(scale == "linear" or low > 0, f"{key} has low {low:g}, which must be above 0 on a log scale")
    dimension = Dimension(name, low, high, logarithmic=scale == "log", complement=key != name)
    _check_values(key, dimension, optimizer)
    return dimension


def _check_name(key: str, name: str, optimizer: str) -> None:
    check(name in declared(Training), f"unknown setting {key}; there are {', '.join(declared(Training))}")
    check(name not in NOT_TUNED, f"{key} can't be tuned: it tells what is compared")
    owners = Training.owners(name)
    if declared(Training)[name].of == "optimizer":
        check(optimizer in owners, f"{key} belongs to the optimizers {', '.join(owners)}, not to {optimizer}")


def _check_values(key: str, dimension: Dimension, optimizer: str) -> None:
    """Whether a run may have the extreme values, which all others lie between."""
    one = declared(Training)[dimension.setting]
    for value in dimension.extremes:
        try:
            one.check_type(value)
            one.check(value)
        except UserError as error:
            raise UserError(str(error) if key == one.name else f"{key}: {error}") from error


def _plain(name: str, value: Any) -> Any:
    """A value as the setting has it: TOML has lists, and 1 where a real number may stand."""
    if isinstance(value, list):
        return tuple(value)
    return float(value) if _is_real(name) and type(value) is int else value


def _is_real(name: str) -> bool:
    kind = declared(Training)[name].kind
    return float in (kind, *typing.get_args(kind))
