"""report.md: summary, figures against the batch size and claims, for places that show Markdown."""

from __future__ import annotations

from largebatch.report import claims, readings
from largebatch.report.claims import Claim, Statement
from largebatch.report.content import Content, accuracy_table, accuracy_title, after_epochs
from largebatch.report.figures import Figure
from largebatch.report.parts import Part
from largebatch.report.summary import Comparison
from largebatch.report.tables import middle
from largebatch.terminal import table

_MARK = {True: "yes", False: "no", None: "not known"}
_SPECIAL = str.maketrans({c: "\\" + c for c in "\\`*_[]<>|#~"})


def render(content: Content) -> str:
    """The text; figures are files in figures/ beside it, numbers come from results.csv and epochs.csv."""
    study = content.study
    parts = [
        f"# {_plain(' '.join(study.title.split()))}",
        _plain(" ".join(study.description.split())),
        f"Written by `{content.command}` from [results.csv](results.csv), a row per run, and "
        "[epochs.csv](epochs.csv), a row per run and epoch. All figures, runs and settings: "
        "[report.html](report.html).",
        "## Summary",
        "\n".join(f"- {_plain(sentence)}" for sentence in content.sentences),
        *(text for part in content.parts if part.leads for text in _part(part, content)),
        *_figures(content),
        *_after_fewer_epochs(content),
        *(text for part in content.parts if not part.leads for text in _part(part, content)),
        *_claims(content),
        *_readings(content),
    ]
    return "\n\n".join(parts) + "\n"


def _plain(text: str) -> str:
    """Text in which nothing is taken for Markdown."""
    return text.translate(_SPECIAL)


def _figures(content: Content) -> list[str]:
    drawn = [_figure(figure) for figure in content.figures if figure.section == "batch-size"]
    if not drawn:
        return []
    figures = ["## Accuracy against batch size", *drawn]
    if content.is_answered:
        return figures
    rows = [
        [_plain(cell.text) + (f" ({cell.note})" if cell.note else "") for cell in row]
        for row in accuracy_table(content.cells)
    ]
    return [
        *figures,
        f"{accuracy_title(content.cells)}: {middle(content.results)} over the seeds, with the lowest and "
        "the highest.",
        table.markdown(rows),
    ]


def _figure(figure: Figure) -> str:
    return f"![{_plain(figure.title)}](figures/{figure.name}.svg)\n\n{_plain(figure.caption)}"


def _after_fewer_epochs(content: Content) -> list[str]:
    names, numbers, rows = after_epochs(content)
    if not numbers:
        return []
    headings = ["batch size", *(f"{_plain(name)}, epoch {n}" for name in names for n in numbers)]
    return [
        f"## {accuracy_title(content.epochs)} after fewer epochs",
        f"{middle(content.results).capitalize()} over the seeds.",
        table.markdown([headings, *([cell.text for cell in row] for row in rows)]),
    ]


def _readings(content: Content) -> list[str]:
    rows = readings.shown(content.readings)
    if not rows:
        return []
    return [
        "## Readings of what the paper leaves open",
        "The verdict on each claim after every number of epochs, from [readings.csv](readings.csv).",
        table.markdown([[_plain(cell) for cell in row] for row in rows]),
    ]


def _part(part: Part, content: Content) -> list[str]:
    parts = [f"## {part.heading}"]
    for shown in part.tables:
        rows = [[_plain(cell) for cell in row] for row in shown.rows]
        parts += [f"### {shown.title}", _plain(shown.text), table.markdown(rows)]
    return [*parts, *(_figure(figure) for figure in content.figures if figure.section in part.figures)]


def _claims(content: Content) -> list[str]:
    if not content.comparisons:
        return []
    return [
        "## The paper's claims",
        *(_compared(comparison) for comparison in content.comparisons),
        "What the words mean in numbers:",
        "\n".join(f"- {word}: {number}, {reason}." for word, number, reason in claims.WORDS),
    ]


def _compared(comparison: Comparison) -> str:
    rows = [["#", "The paper says", "Verdict", "Measured"], *map(_claim, comparison.claims)]
    return table.markdown(rows)


def _claim(claim: Claim) -> list[str]:
    measured = "<br>".join(map(_statement, claim.statements))
    verdict = f"**{claim.verdict}**" + (f" ({claim.seeds})" if claim.seeds else "")
    return [str(claim.number), _plain(claim.paper), verdict, measured]


def _statement(statement: Statement) -> str:
    return f"{_plain(statement.text)}? {_MARK[statement.holds]}: {_plain(statement.measured)}."
