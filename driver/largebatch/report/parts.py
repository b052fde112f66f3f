"""Parts of a report that only some studies have: sentences and tables, shown alike by page and Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A table with its headings as the first row, and what it shows."""

    title: str
    text: str
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Part:
    """A section of the page. `figures` names the sections of figures that belong to it.

    A part that `leads` comes before all figures.
    """

    id: str
    heading: str
    sentences: Sequence[str]
    tables: Sequence[Table]
    figures: Sequence[str] = ()
    leads: bool = False
