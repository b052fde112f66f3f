"""One declaration per setting, `setting(...)`, and what is derived from it.

Derived are the checks, the options of the command line (cli/parsing), the keys of study files
(studies/parser), config.json, the arguments of train.dml (runs/program), and the refusal of settings that
are foreign to a run's choices.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Protocol, Self

from largebatch.errors import UserError
from largebatch.files.names import Argument
from largebatch.settings.ranges import Allowed, Choice, anything


class Row(Protocol):
    """What a registry says about a name, such as an optimizer's: `settings` are those of its own."""

    @property
    def settings(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class NotPassed:
    """Marks a setting that train.dml does not get as an argument."""

    reason: str


Dml = Callable[[Any], dict[str, Argument]] | NotPassed | None


def setting(
    default: Any,
    description: str,
    allowed: Allowed = anything,
    *,
    of: str = "",
    dml: Dml = None,
) -> Any:
    """A field of a settings class.

    The description must name the default if that is None or empty. `of` names the choice to which the setting
    belongs, such as "optimizer": only to those of its rows that list it. Without `of` it belongs to every
    run. `dml` makes train.dml's arguments from a value; by default that is one argument of the same name.
    """
    metadata = {"description": description, "allowed": allowed, "of": of, "dml": dml}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Setting:
    """A setting as it is declared: `kind` is its type, for the others see `setting`."""

    name: str
    kind: Any
    default: Any
    description: str
    allowed: Allowed
    of: str
    dml: Dml

    @property
    def flag(self) -> str:
        """The option of the command line."""
        return flag(self.name)

    @property
    def is_switch(self) -> bool:
        """Whether it is on or off."""
        return bool in (self.kind, *typing.get_args(self.kind))

    @property
    def offered(self) -> tuple[str, ...]:
        """The values to choose from on the command line; empty if there is no list."""
        return getattr(self.allowed, "offered", ())

    @property
    def rows(self) -> Mapping[str, Row]:
        """The registry that a choice is made from; empty if none of its rows has settings of its own."""
        rows = self.allowed.rows if isinstance(self.allowed, Choice) else {}
        return rows if isinstance(rows, Mapping) else {}

    def check(self, value: Any) -> None:
        """Raises UserError for a value that is not allowed. None stands for a default that is made later."""
        complaint = None if value is None else self.allowed(value)
        check(complaint is None, f"{self.flag} {complaint}")

    def check_type(self, value: Any) -> None:
        """Raises UserError for a value of another type."""
        shown = list(value) if isinstance(value, tuple) else value
        check(_accepts(value, self.kind), f"{self.name} = {shown!r} must be {_in_words(self.kind)}")

    def arguments(self, value: Any) -> dict[str, Argument]:
        """What train.dml gets for a value."""
        if isinstance(self.dml, NotPassed):
            return {}
        if self.dml is not None:
            return self.dml(value)
        real = float in (self.kind, *typing.get_args(self.kind))  # DML tells 1 from 1.0
        return {self.name: float(value) if real else value}


def check(holds: bool, sentence: str) -> None:
    """Raises UserError with the sentence if something does not hold."""
    if not holds:
        raise UserError(sentence)


def flag(name: str) -> str:
    """The option of the command line for a setting."""
    return "--" + name.replace("_", "-")


_declared: dict[type, dict[str, Setting]] = {}


def declared(settings: type[Settings]) -> dict[str, Setting]:
    """The settings of a class by name, in order."""
    if settings not in _declared:
        hints = typing.get_type_hints(settings)
        _declared[settings] = {
            f.name: Setting(f.name, hints[f.name], f.default, **f.metadata)
            for f in fields(settings)  # type: ignore[arg-type]
        }
    return _declared[settings]


def _in_words(kind: Any) -> str:
    """What a value of a type is; None, which stands for a default, is not told of."""
    if typing.get_origin(kind) is tuple:
        of = {float: "numbers", int: "whole numbers", str: "texts in quotes"}
        return f"a list of {of[typing.get_args(kind)[0]]}"
    (kind,) = [one for one in (typing.get_args(kind) or (kind,)) if one is not types.NoneType]
    words = {float: "a number", int: "a whole number", bool: "true or false", str: "a text in quotes"}
    return words[kind]


def _accepts(value: Any, kind: Any) -> bool:
    """Whether a value that was read from a file has a type."""
    if isinstance(kind, types.UnionType):
        return any(_accepts(value, option) for option in typing.get_args(kind))
    if typing.get_origin(kind) is tuple:
        return isinstance(value, tuple) and all(_accepts(v, typing.get_args(kind)[0]) for v in value)
    if kind in (int, float):
        return isinstance(value, (int, float) if kind is float else int) and not isinstance(value, bool)
    return isinstance(value, kind)


class Settings:
    """Base of the settings classes, which are frozen dataclasses with fields made by `setting`."""

    def __post_init__(self) -> None:
        for name, one in declared(type(self)).items():
            one.check(getattr(self, name))

    # ---- from and to mappings ----

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """Settings from a file's mapping; values that don't count for the run's choices are taken as well.

        Raises UserError for names that don't exist, values of another type and values out of range.
        """
        check(isinstance(values, Mapping), "settings must be an object, or a table, of names and values")
        known = declared(cls)
        unknown = sorted(set(values) - set(known))
        check(not unknown, f"unknown setting {', '.join(unknown)}; there are {', '.join(known)}")
        plain = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        for name, value in plain.items():
            known[name].check_type(value)
        cls.check_together(plain)
        return cls(**plain)

    @classmethod
    def from_given(cls, values: Mapping[str, Any]) -> Self:
        """Settings of which a user gave some.

        Raises UserError for values out of range, and for settings that are foreign to the choices made.
        """
        cls.check_together(values)
        made = cls(**values)
        for name in values:
            foreign, choice = made.foreign(name), flag(declared(cls)[name].of)
            check(not foreign, f"{foreign}: leave it out, or choose another {choice}")
        return made

    @classmethod
    def check_together(cls, values: Mapping[str, Any]) -> None:
        """Raises UserError for values that must not be given together."""

    def to_mapping(self) -> dict[str, Any]:
        """The settings as a mapping that JSON can hold."""
        values = {name: getattr(self, name) for name in declared(type(self))}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}

    # ---- whose settings are ----

    @classmethod
    def owners(cls, name: str) -> tuple[str, ...]:
        """The rows, such as optimizers, to which a setting belongs; empty if it belongs to every run."""
        of = declared(cls)[name].of
        rows = declared(cls)[of].rows if of else {}
        return tuple(owner for owner, row in rows.items() if name in row.settings)

    def belongs(self, name: str) -> bool:
        """Whether a setting counts for the choices made here."""
        of = declared(type(self))[name].of
        return not of or getattr(self, of) in self.owners(name)

    def foreign(self, name: str) -> str:
        """Why a setting must not be given with the choices made here; empty if it belongs."""
        if self.belongs(name):
            return ""
        of = declared(type(self))[name].of
        *others, last = self.owners(name)
        owners = f"{', '.join(others)} or {last}" if others else last
        return f"{flag(name)} belongs to {flag(of)} {owners}, not to {getattr(self, of)}"

    def dml_arguments(self, only: Collection[str] | None = None) -> dict[str, Argument]:
        """train.dml's arguments for the settings that belong here, or for some of them."""
        found: dict[str, Argument] = {}
        for name, one in declared(type(self)).items():
            if self.belongs(name) and (only is None or name in only):
                found |= one.arguments(getattr(self, name))
        return found
