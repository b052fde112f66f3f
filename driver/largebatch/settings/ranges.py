"""Ranges of values. Each is a function that says what is wrong with a value: None if nothing is.

The sentence that it returns goes on after the setting's name.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

Allowed = Callable[[Any], str | None]
LARGEST = 2**31 - 1  # of whole numbers: the JVM counts in 32 bits


def anything(value: Any) -> None:
    """Every value of the setting's type is allowed."""


@dataclass(frozen=True)
class Choice:
    """One of some names. `rows` may be a mapping that says more about each name."""

    rows: Collection[str]

    @property
    def offered(self) -> tuple[str, ...]:
        """The names, for the command line."""
        return tuple(self.rows)

    def __call__(self, value: str) -> str | None:
        if value in self.rows:
            return None
        return f"{value!r} is unknown; choose one of {', '.join(self.rows)}"


@dataclass(frozen=True)
class Text:
    """A text of a pattern, which `words` describe. `offered` are the values for the command line, if any."""

    pattern: re.Pattern[str]
    words: str
    offered: tuple[str, ...] = ()

    def __call__(self, value: str) -> str | None:
        return None if self.pattern.fullmatch(value) else f"{value!r} must be {self.words}"


@dataclass(frozen=True)
class Whole:
    """A whole number from `low` to `high`, both included."""

    low: int
    high: int | None = None

    def __call__(self, value: int) -> str | None:
        if self.high is not None:
            fits = self.low <= value <= self.high
            return None if fits else f"{value} must be from {self.low} to {self.high}"
        if value < self.low:
            return f"{value} must be at least {self.low}"
        return None if value <= LARGEST else f"{value} must be at most {LARGEST}"


@dataclass(frozen=True)
class Real:
    """A finite number. `low` and `high` are included, `above` and `below` are not."""

    low: float | None = None
    above: float | None = None
    high: float = sys.float_info.max
    below: float | None = None
    unit: str = ""

    def __call__(self, value: float) -> str | None:
        fits = (
            (self.low is None or value >= self.low)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
            and -sys.float_info.max <= value <= self.high  # not so for NaN
        )
        return None if fits else f"{value} must be {self._words}"

    @property
    def _words(self) -> str:
        bounded = self.below is not None or self.high < sys.float_info.max
        if self.low is not None:
            lower = f"at least {self.low:g}" if bounded else f"finite, {self.low:g} or more"
        else:
            lower = f"above {self.above:g}" if bounded else f"finite, above {self.above:g}"
        if self.below is not None:
            return f"{lower} and below {self.below:g}"
        return f"{lower} and at most {self.high:g} {self.unit}".rstrip() if bounded else lower
