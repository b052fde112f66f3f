"""Refusals of a study's file, each with the line that it is about."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from largebatch.errors import UserError
from largebatch.settings.execution import Execution
from largebatch.settings.values import Settings, declared
from largebatch.studies.toml_lines import Lines

T = TypeVar("T")


@dataclass(frozen=True)
class Complaints:
    """Raises UserError that names a file and a line of it."""

    lines: Lines
    source: str

    def refuse(self, table: str, number: int, key: str, sentence: str) -> NoReturn:
        """Raise it, for a key of the table of some name and number, or for the table itself."""
        if (table, number, key) not in self.lines.places and ("fixed", 0, key) in self.lines.places:
            table, number = "fixed", 0
        raise UserError(f"{self.source}, line {self.lines.find(table, number, key)}: {sentence}")

    def guarded(
        self, table: str, number: int, make: Callable[[Mapping[str, Any]], T], values: Mapping[str, Any]
    ) -> T:
        """What is made of a table, or the maker's complaint with the line of the first key that it names."""
        try:
            return make(values)
        except UserError as error:
            text = without_flags(str(error))
            key = next((word for word in re.findall(r"\w+", text) if word in values), "")
            self.refuse(table, number, key, text)

    def check_names(
        self, table: str, number: int, values: Mapping[str, Any], settings: type[Settings]
    ) -> None:
        """Refuse a key that is no setting of the class."""
        for key in values:
            if key in declared(Execution) and settings is not Execution:
                self.refuse(table, number, key, f"{key} is a setting of [execution]: put it there")
            if key not in declared(settings):
                there = ", ".join(declared(settings))
                self.refuse(table, number, key, f"unknown setting {key}; there are {there}")


def without_flags(sentence: str) -> str:
    """A sentence about options as one about keys."""
    return re.sub(r"--([a-z][a-z-]*)", lambda option: option[1].replace("-", "_"), sentence)
