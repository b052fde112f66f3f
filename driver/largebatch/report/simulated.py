"""`largebatch simulate`: its table, its files and its figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from largebatch.errors import UserError
from largebatch.files.safe import write_atomically
from largebatch.report.content import ABSENT
from largebatch.report.figures import draw_histograms, write_figures
from largebatch.simulation.plan import Outcome
from largebatch.simulation.staleness import USUAL
from largebatch.terminal.table import align

_COLUMNS = (  # name, heading, format
    ("protocol", "protocol", "{}"),
    ("gradients_per_update", "gradients per update", "{}"),
    ("staleness_theory", "(workers-1) / these", "{:.2f}"),
    ("staleness_mean", "staleness, mean", "{:.2f}"),
    ("staleness_max", "max", "{:.0f}"),
    ("staleness_above_2n", "above 2n", "{:.1%}"),
    ("pushes", "pushes", "{}"),
    ("dropped", "dropped", "{}"),
    ("updates", "updates", "{}"),
    ("updates_per_second", "updates/s", "{:.1f}"),
    ("epoch_seconds", "epoch, s", "{:.1f}"),
)


def text(outcomes: Sequence[Outcome]) -> str:
    """The table for a terminal."""
    rows = [[heading for _, heading, _ in _COLUMNS]]
    for outcome in outcomes:
        values = outcome.row()
        rows.append([_cell(values[name], form) for name, _, form in _COLUMNS])
    return align(rows)


def _cell(value: Any, form: str) -> str:
    return ABSENT if pd.isna(value) else form.format(value)


def write(outcomes: Sequence[Outcome], folder: Path) -> None:
    """simulated.csv, staleness.csv and figures/ in a folder. Raises UserError if it can't be written to."""
    results = pd.DataFrame([outcome.row() for outcome in outcomes])
    counts = _counts(outcomes)
    figures = draw_histograms(counts[counts["kind"] == USUAL])
    try:
        write_figures(figures, folder)
        write_atomically(folder / "simulated.csv", results.to_csv(index=False).encode())
        write_atomically(folder / "staleness.csv", counts.to_csv(index=False).encode())
    except OSError as error:
        raise UserError(f"{folder} can't be written to: {error.strerror}; name another by --out") from error


def _counts(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Gradients by protocol, kind and staleness."""
    rows = [
        (outcome.training.protocol_title, outcome.training.workers, kind, staleness, count)
        for outcome in outcomes
        for (kind, staleness), count in sorted(outcome.simulated.staleness.items())
    ]
    return pd.DataFrame(rows, columns=["protocol", "workers", "kind", "staleness", "count"])
