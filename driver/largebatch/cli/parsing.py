"""The command line's options for settings, and what options are converted to."""

from __future__ import annotations

import argparse
import itertools
import math
import re
import typing
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from largebatch.errors import UserError
from largebatch.settings.training import Training
from largebatch.settings.values import Setting, Settings, declared

# What values are, where the last word of a setting's name doesn't tell.
METAVARS = {
    "batch_size_per_worker": "ROWS",
    "bits_per_second": "BITS",
    "compute_time": "KIND:SECONDS",
    "evaluate_every": "UPDATES",
    "evaluate_train_rows": "ROWS",
    "label_smoothing": "SHARE",
    "micro_batch": "ROWS",
    "pad_to": "PIXELS",
    "reference_batch": "ROWS",
    "reshuffle_every": "EPOCHS",
    "softsync_n": "N",
}


def number(text: str) -> float:
    """A number, perhaps not finite: the setting's range says so."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} must be a number") from None


def whole_number(text: str) -> int:
    """A whole number."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number") from None


def _fractions(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        message = f"{text!r} must be numbers separated by commas, such as 0.5,0.75"
        raise argparse.ArgumentTypeError(message) from None


def _whole_numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        message = f"{text!r} must be whole numbers separated by commas, such as 256,128"
        raise argparse.ArgumentTypeError(message) from None


def add_settings(
    parser: argparse.ArgumentParser, settings: type[Settings], only: Collection[str] | None = None
) -> None:
    """Options for the settings of a class, or for some; those not given on the command line stay None."""
    for name, setting in declared(settings).items():
        if only is None or name in only:
            _add(parser, setting, _help(settings, setting))


def _add(parser: argparse.ArgumentParser, setting: Setting, help_text: str) -> None:
    if setting.is_switch:
        action = argparse.BooleanOptionalAction
        parser.add_argument(setting.flag, action=action, default=None, help=help_text)
    elif setting.kind == tuple[str, ...]:
        parser.add_argument(setting.flag, action="append", metavar="KEY=VALUE", help=help_text)
    else:
        parser.add_argument(
            setting.flag,
            type=_converter(setting.kind),
            choices=setting.offered or None,
            metavar=None if setting.offered else METAVARS.get(setting.name, _last_word(setting.name)),
            help=help_text,
        )


def _last_word(name: str) -> str:
    return name.rsplit("_", maxsplit=1)[-1].upper()


def _converter(kind: Any) -> Callable[[str], Any]:
    """Makes a value of a type from an option's text."""
    if kind == tuple[int, ...]:
        return _whole_numbers
    if float in (kind, *typing.get_args(kind)):
        return _fractions if typing.get_origin(kind) is tuple else number
    return whole_number if int in (kind, *typing.get_args(kind)) else str


def _help(settings: type[Settings], setting: Setting) -> str:
    """What a setting is, to whom it belongs unless to all, and its default."""
    default, text = setting.default, setting.description
    if default not in (None, ()):
        shown = ",".join(map(str, default)) if isinstance(default, tuple) else str(default)
        text += f" (default: {shown})"
    owners = settings.owners(setting.name)
    if not owners or len(owners) == len(declared(settings)[setting.of].rows):
        return text
    return f"of {setting.of.replace('_', ' ')} {', '.join(owners)}: {text}"


def given(arguments: argparse.Namespace, settings: type[Settings]) -> dict[str, Any]:
    """The settings that were given on the command line."""
    values = {name: getattr(arguments, name, None) for name in declared(settings)}
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


# ---- of `predict` ----


def factor(text: str) -> float:
    """A finite number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} must be a number above 0, such as 255")
    return value


# ---- of studies ----


def seconds(text: str) -> float:
    """A time such as 1h30m, 90m, 45s or 300 (seconds)."""
    parts = re.fullmatch(r"(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s?)?", text)
    if parts is None or not any(parts.groups()):
        raise argparse.ArgumentTypeError(f"{text!r} must be a time such as 1h30m, 90m or 45s")
    hours, minutes, rest = (int(part or 0) for part in parts.groups())
    return 3600.0 * hours + 60 * minutes + rest


def positive(text: str) -> int:
    """A whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number, 1 or more")
    return int(text)


def add_only(parser: argparse.ArgumentParser, of: str = "runs") -> None:
    """The option --only of a command that carries out or shows some things, see `grouped`."""
    parser.add_argument(
        "--only",
        type=values_of_settings,
        action="extend",
        default=[],
        metavar="SETTING=VALUE,...",
        help=f"only {of} with these values, e.g. optimizer=lars,batch_size=64,128",
    )


def values_of_settings(text: str) -> list[tuple[str, str]]:
    """Settings with values wanted, such as optimizer=lars,batch_size=64,128."""
    found: list[tuple[str, str]] = []
    for part in text.split(","):
        name, equals, value = part.rpartition("=")
        name = name if equals else found[-1][0] if found else ""
        if not name or not value:
            raise argparse.ArgumentTypeError(f"{text!r} must be like optimizer=lars,seed=1,2")
        found.append((name.strip().replace("-", "_"), value.strip()))
    return found


def variants(values: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """Every combination of the values of some settings, as Training has them.

    Raises UserError for an unknown setting, and for a text that is no value of its setting.
    """
    known = declared(Training)
    for name, _ in values:
        if name not in known:
            raise UserError(f"--vary {name}: there is no such setting; `largebatch train --help` lists them")
    several = {name: [_value(known[name], text) for text in texts] for name, texts in grouped(values).items()}
    return [dict(zip(several, chosen, strict=True)) for chosen in itertools.product(*several.values())]


def _value(setting: Setting, text: str) -> Any:
    if setting.is_switch:
        values = {"true": True, "false": False}
        if text.lower() not in values:
            raise UserError(f"--vary {setting.name}={text}: must be true or false")
        return values[text.lower()]
    try:
        return _converter(setting.kind)(text)
    except (ValueError, argparse.ArgumentTypeError) as error:
        raise UserError(f"--vary {setting.name}={text}: must be a number") from error


def grouped(values: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """The values of each setting."""
    found: dict[str, list[str]] = {}
    for name, value in values:
        found.setdefault(name, []).append(value)
    return found
