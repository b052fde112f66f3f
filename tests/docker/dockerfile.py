"""Reads a Dockerfile: its stages, their steps, and the settings of the containers that come out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from string import Template
from typing import Any


@dataclass(frozen=True)
class Step:
    """An instruction: its word, the options before its text as "--from=build", and its text."""

    word: str
    options: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Stage:
    """What stands between one FROM and the next."""

    base: str
    name: str
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Settings:
    """What a container starts with; at first that of Debian's images."""

    env: dict[str, str] = field(
        default_factory=lambda: {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    )
    user: str = "0:0"
    workdir: str = "/"
    volumes: tuple[str, ...] = ()
    healthcheck: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()

    def after(self, step: Step) -> Settings:
        """The settings after a step. Raises ValueError for instructions that are not known here."""
        changes: dict[str, Any] = {}
        match step.word:
            case "ENV":
                names = dict(pair.split("=", maxsplit=1) for pair in step.text.split())
                found = {name: Template(value).substitute(self.env) for name, value in names.items()}
                changes["env"] = self.env | found
            case "USER" | "WORKDIR":
                changes[step.word.lower()] = step.text
            case "VOLUME":
                changes["volumes"] = (*self.volumes, *_words(step.text))
            case "HEALTHCHECK":
                changes["healthcheck"] = _words(step.text.removeprefix("CMD "))
            case "ENTRYPOINT":
                changes["entrypoint"] = _words(step.text)
            case "CMD":
                changes["command"] = _words(step.text)
            case "RUN" | "COPY":
                pass
            case other:
                raise ValueError(f"{other} is not an instruction that is understood here")
        return replace(self, **changes)


def _words(text: str) -> tuple[str, ...]:
    """A JSON list; the form for a shell is not used."""
    return tuple(json.loads(text))


def read_stages(text: str) -> dict[str, Stage]:
    """The stages of a Dockerfile in order, by name; the last one, which is the image, is named "" there."""
    stages: dict[str, Stage] = {}
    for step in _steps(text):
        if step.word == "FROM":
            base, _, name = step.text.partition(" AS ")
            stages[name] = Stage(base, name, ())
        else:
            last = stages[list(stages)[-1]]
            stages[last.name] = replace(last, steps=(*last.steps, step))
    return stages


def settings_of(stages: dict[str, Stage], name: str = "") -> Settings:
    """The settings at the end of a stage, those of the stages below it included."""
    stage = stages[name]
    settings = settings_of(stages, stage.base) if stage.base in stages else Settings()
    for step in stage.steps:
        settings = settings.after(step)
    return settings


def _steps(text: str) -> Iterable[Step]:
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in code.replace("\\\n", " ").splitlines():
        found = re.fullmatch(r"(\w+)\s+((?:--\S+\s+)*)(.*)", line.strip())
        if found:
            yield Step(found[1].upper(), tuple(found[2].split()), " ".join(found[3].split()))
