"""Which of a study's runs are wanted: `--only`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from largebatch.errors import UserError
from largebatch.settings.training import Training
from largebatch.settings.values import declared

Only = Mapping[str, Sequence[str]]  # wanted values of each setting, as text
EVERY: Only = MappingProxyType({})


def select(runs: Sequence[Training], only: Only, study: str) -> list[Training]:
    """The runs whose settings have one of the wanted values each, `study` naming where they are from.

    Raises UserError for a setting or a value that no run has, and if no run is left.
    """
    for name, texts in only.items():
        if name not in declared(Training):
            raise UserError(
                f"--only {name}={texts[0]}: there is no such setting; `largebatch train --help` lists them"
            )
        there = list(dict.fromkeys(getattr(run, name) for run in runs))
        for text in texts:
            if not any(_is(value, text) for value in there):
                shown = ", ".join(map(str, there))
                raise UserError(f"--only {name}={text}: no run of {study} has it; there are {shown}")
    found = [run for run in runs if all(_fits(run, name, texts) for name, texts in only.items())]
    if not found:
        raise UserError(f"no run of {study} has all that --only asks for")
    return found


def _fits(training: Training, name: str, texts: Sequence[str]) -> bool:
    return any(_is(getattr(training, name), text) for text in texts)


def _is(value: Any, text: str) -> bool:
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(text) == value
        except ValueError:
            return False
    return str(value).lower() == text.lower()
