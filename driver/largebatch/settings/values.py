"""What settings have in common: checks of names and types, the way to and from plain mappings."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, Self

from largebatch.errors import UserError


def check(holds: bool, sentence: str) -> None:
    """Raises UserError with the sentence if something does not hold."""
    if not holds:
        raise UserError(sentence)


def flag(name: str) -> str:
    """The option of the command line for a setting."""
    return "--" + name.replace("_", "-")


def check_choice(name: str, value: str, choices: Iterable[str]) -> None:
    """Raises UserError for a value that is not one of the choices."""
    check(value in choices, f"{flag(name)} {value!r} is unknown; choose one of {', '.join(choices)}")


def _accepts(value: Any, annotation: Any) -> bool:
    """Whether a value read from a file has the type that a field is declared with."""
    if isinstance(annotation, types.UnionType):
        return any(_accepts(value, option) for option in typing.get_args(annotation))
    if typing.get_origin(annotation) is tuple:
        return isinstance(value, tuple) and all(_accepts(v, typing.get_args(annotation)[0]) for v in value)
    if annotation in (int, float):
        allowed = (int, float) if annotation is float else (int,)
        return isinstance(value, allowed) and not isinstance(value, bool)
    return isinstance(value, annotation)


class Settings:
    """Reading from and writing to plain mappings, for the configuration file."""

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """Settings from a mapping; raises UserError for names that don't exist and values of another type."""
        check(isinstance(values, Mapping), "settings have to be an object, or a table, of names and values")
        hints = typing.get_type_hints(cls)
        unknown = sorted(set(values) - set(hints))
        check(not unknown, f"unknown setting {', '.join(unknown)}; there are {', '.join(hints)}")
        plain = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        for name, value in plain.items():
            wanted = str(getattr(hints[name], "__name__", hints[name]))
            check(_accepts(value, hints[name]), f"{name} = {value!r} is not of type {wanted}")
        return cls(**plain)

    def to_mapping(self) -> dict[str, Any]:
        """The settings as a mapping that JSON can hold."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
