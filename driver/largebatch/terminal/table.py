"""Tables: results in plain text, any rows in columns or as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_COLUMNS = (
    ("optimizer", "optimizer", "{}"),
    ("batch_size", "batch size", "{}"),
    ("epochs", "epochs", "{}"),
    ("updates", "updates", "{}"),
    ("train_accuracy", "train accuracy", "{:.2%}"),
    ("validation_accuracy", "validation accuracy", "{:.2%}"),
    ("test_accuracy", "test accuracy", "{:.2%}"),
    ("generalization_error", "generalization error", "{:+.2%}"),
    ("seconds", "seconds", "{:.0f}"),
)


def format_results(results: Sequence[dict[str, Any]], also: Sequence[str] = ()) -> str:
    """One line per result. A run that did not finish shows its status instead of accuracies.

    `also` names values of the results that get columns of their own.
    """
    usual = {key for key, _, _ in _COLUMNS}
    more = [(key, key.replace("_", " "), "{}") for key in also if key not in usual]
    columns = [c for c in (*_COLUMNS[:2], *more, *_COLUMNS[2:]) if _has_place(c[0], results)]
    rows = [[heading for _, heading, _ in columns]]
    rows += [[_cell(result, key, form) for key, _, form in columns] for result in results]
    return align(rows)


def format_targets(targets: Sequence[dict[str, Any]]) -> str:
    """One line per target accuracy: when it was first reached, see records.targets."""
    rows = [["target", "part", "updates", "epoch", "seconds"]]
    for target in targets:
        cells = [f"{target['accuracy']:.2%}", str(target["part"])]
        if target["updates"] is None:
            cells += ["never", "-", "-"]
        else:
            cells += [str(target["updates"]), f"{target['epoch']:.2f}", f"{target['seconds']:.1f}"]
        rows.append(cells)
    return align(rows)


def _has_place(key: str, results: Sequence[dict[str, Any]]) -> bool:
    """Whether a column is shown: that of the validation part only where there is one."""
    return key != "validation_accuracy" or any(key in result for result in results)


def align(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells in columns. The first column is aligned left, the others right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(_line(row, widths) for row in rows)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as a table in Markdown, headings first."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]])


def _cell(result: dict[str, Any], key: str, form: str) -> str:
    if key == "test_accuracy" and result["status"] != "finished":
        return str(result["status"])
    return "-" if result.get(key) is None else form.format(result[key])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first = cells[0].ljust(widths[0])
    return "  ".join([first, *(c.rjust(w) for c, w in zip(cells[1:], widths[1:], strict=True))])
