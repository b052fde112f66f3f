"""report.html: one file that needs no other, with a policy that lets it load none.

The template is page.html; its style and script are allowed by their hashes, all data are escaped.
"""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import pandas as pd
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

import largebatch
from largebatch.records.reading import StudyRecord
from largebatch.report import claims, readings, svg, tables
from largebatch.report.content import ABSENT, Cell, Content, accuracy_table, accuracy_title, after_epochs
from largebatch.report.figures import Figure
from largebatch.settings.training import Training

_HEADINGS = {  # of the figures' sections
    "batch-size": "Accuracy against batch size",
    "budgets": "Equal epochs beside equal updates",
    "targets": "Steps to a target against batch size",
    "rates": "Learning rates against batch size",
    "noise-scale": "Gradient noise scale",
    "while-training": "Accuracy while training",
    "trust-ratios": "Trust ratios of the layers",
    "gradient-norms": "Gradient norms of the layers",
    "time": "Time",
    "trade-off": "Test error against time and updates",
    "staleness": "Staleness of gradients",
}


@dataclass(frozen=True)
class Section:
    """Figures under a heading, each with its SVG."""

    id: str
    heading: str
    figures: list[tuple[Figure, Markup]]


@dataclass(frozen=True)
class Run:
    """A row of the table of runs."""

    name: str
    status: str
    reason: str
    cells: list[Cell]


def render(content: Content) -> bytes:
    """The page."""
    style = _resource("page.css") + svg.DARK_CSS
    script = _resource("page.js")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    page = environment.from_string(_resource("page.html")).render(
        content=content,
        study=content.study,
        policy=_policy(style, script),
        style=Markup(style),  # noqa: S704 - a file of this package
        script=Markup(script),  # noqa: S704 - a file of this package
        version=largebatch.__version__,
        words=claims.WORDS,
        readings=readings.shown(content.readings),
        sections=_sections(content.figures),
        accuracy=accuracy_table(content.cells),
        accuracy_title=accuracy_title(content.cells),
        middle=tables.middle(content.results).capitalize(),
        after_title=accuracy_title(content.epochs),
        after=after_epochs(content),
        runs=_runs(content),
        settings=_settings(content.study),
        versions=_versions(content.study),
        commands=_commands(content),
    )
    return page.encode()


def _resource(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _sections(figures: Sequence[Figure]) -> list[Section]:
    """The figures under their headings; their SVG is matplotlib's, which escapes what it writes."""
    return [
        Section(name, heading, [(f, Markup(f.inline)) for f in figures if f.section == name])  # noqa: S704
        for name, heading in _HEADINGS.items()
        if any(f.section == name for f in figures)
    ]


# ---- tables ----


_COLUMNS = (  # of the table of runs, behind the settings that vary and the status: name, heading, format
    ("test_accuracy", "test accuracy", "{:.2%}"),
    ("validation_accuracy", "validation accuracy", "{:.2%}"),
    ("train_accuracy", "train accuracy", "{:.2%}"),
    ("generalization_error", "generalization error", "{:+z.2%}"),
    ("test_loss", "test loss", "{:.4f}"),
    ("validation_loss", "validation loss", "{:.4f}"),
    ("train_loss", "train loss", "{:.4f}"),
    ("epochs_done", "epochs", "{:.0f}"),
    ("updates", "updates", "{:.0f}"),
    ("training_seconds", "training, s", "{:.1f}"),
    ("evaluation_seconds", "evaluation, s", "{:.1f}"),
    ("median_epoch_seconds", "epoch, s (median)", "{:.2f}"),
    ("images_per_second", "images/s", "{:.0f}"),
)


def _runs(content: Content) -> tuple[list[str], list[Run]]:
    """Headings of the table of runs, and its rows."""
    varied = [name for name, values in _values(content.study).items() if len(values) > 1]
    headings = [name.replace("_", " ") for name in varied]
    columns = [column for column in _COLUMNS if column[0] in content.results]
    rows = [
        Run(
            row["name"],
            row["status"],
            row["reason"],
            [
                *(_setting(row[name]) for name in varied),
                Cell(row["status"], row["status"]),
                *(_number(row[name], form) for name, _, form in columns),
            ],
        )
        for _, row in content.results.iterrows()
    ]
    return [*headings, "status", *(heading for _, heading, _ in columns)], rows


def _setting(value: Any) -> Cell:
    text = tables.shown(value)
    return Cell(text, text if isinstance(value, (str, bool)) else float(value))


def _number(value: Any, form: str) -> Cell:
    return Cell(ABSENT) if pd.isna(value) else Cell(form.format(float(value)), float(value))


# ---- what it takes to reproduce it ----


def _values(study: StudyRecord) -> dict[str, list[str]]:
    """The values of each setting in the study's runs."""
    mappings = [run.training.to_mapping() for run in study.runs]
    names = mappings[0] if mappings else {}
    return {name: list(dict.fromkeys(tables.shown(m[name]) for m in mappings)) for name in names}


def _settings(study: StudyRecord) -> list[tuple[str, str]]:
    training = [(name, ", ".join(values)) for name, values in _values(study).items()]
    return [*training, *((name, str(value)) for name, value in study.execution.items())]


def _versions(study: StudyRecord) -> list[tuple[str, str]]:
    """Versions of the programs that ran the study; several values with their numbers of runs."""
    known = [run.versions for run in study.runs if run.versions]
    names = list(dict.fromkeys(name for versions in known for name in versions))
    return [(name, _counted(str(versions.get(name, "unknown")) for versions in known)) for name in names]


def _counted(values: Iterable[str]) -> str:
    counts: dict[str, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    return ", ".join(f"{v} ({n} runs)" for v, n in counts.items()) if len(counts) > 1 else next(iter(counts))


def _commands(content: Content) -> list[str]:
    study = content.study
    sweep = f"largebatch {'tune' if 'tuned' in content.more else 'sweep'} {shlex.quote(study.name)}"
    single = [train_command(study.runs[0].training)] if study.runs else []
    return [sweep, content.command, *single]


def train_command(training: Training) -> str:
    """The command line that trains with these settings."""
    default = Training(optimizer=training.optimizer).to_mapping()
    always = ("optimizer", "batch_size", "epochs", "seed")
    words = ["largebatch", "train"]
    for name, value in training.to_mapping().items():
        if name in always or (value != default[name] and training.belongs(name)):
            words += _option(name, value)
    return shlex.join(words)


def _option(name: str, value: Any) -> Sequence[str]:
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{flag}" if value else f"--no-{flag}"]
    return [f"--{flag}", tables.shown(value)]
