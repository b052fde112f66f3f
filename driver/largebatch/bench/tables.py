"""What `largebatch bench` shows of timed epochs: tables and JSON."""

from __future__ import annotations

import dataclasses
import json
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence

from largebatch.bench.timing import Timed, spread
from largebatch.terminal.table import align, markdown

MEASURE = "PyTorch, float64"  # the contestant that ratios refer to, if it was measured
RATIOS = "Ratios within each round, medians"

_HEADINGS = (
    "what", "batch size", "warm epoch, s (range)", "images/s", "first of a run", "first of all",
    "evaluation, s", "peak memory of its session, GB",
)  # fmt: skip


def rows(timed: Sequence[Timed]) -> list[list[str]]:
    """The table, headings first."""
    return [list(_HEADINGS), *(_row(one) for one in timed)]


def _row(one: Timed) -> list[str]:
    return [
        one.name,
        str(one.batch_size),
        spread(one.seconds),
        f"{one.images_per_second:.0f}",
        _times(one.opening_ratio),
        _times(one.first_ratio),
        spread(one.evaluation) if one.evaluation else "-",
        "-" if one.peak_bytes is None else f"{one.peak_bytes / 2**30:.1f}",
    ]


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"x {ratio:.2f}"


def ratio_rows(timed: Sequence[Timed]) -> list[list[str]]:
    """Ratios of each contestant to others, medians over the rounds; headings first.

    The others: PyTorch in double precision, the same contestant at the first batch size, and the first
    contestant at the same batch size.
    """
    first = timed[0]
    headings = [
        "what",
        "batch size",
        f"to {MEASURE}",
        f"to batch size {first.batch_size}",
        f"to {first.name}",
    ]
    known = {(one.name, one.batch_size): one for one in timed}
    measure = next((one for one in timed if one.name == MEASURE), None)
    found = []
    for one in timed:
        others = (measure, known.get((one.name, first.batch_size)), known.get((first.name, one.batch_size)))
        ratios = ["-" if other is None else f"{one.ratio(other):.2f}" for other in others]
        found.append([one.name, str(one.batch_size), *ratios])
    return [headings, *found]


def as_text(timed: Mapping[str, Sequence[Timed]]) -> str:
    """For a terminal."""
    return "\n\n".join(_tables(timed, align))


def as_markdown(timed: Mapping[str, Sequence[Timed]], command: str) -> str:
    """For docs/performance.md."""
    return (
        "\n\n".join([f"Measured by `{command}` on {platform.platform()}:", *_tables(timed, markdown)]) + "\n"
    )


def _tables(timed: Mapping[str, Sequence[Timed]], table: Callable[[list[list[str]]], str]) -> Iterator[str]:
    """Times and ratios of each network."""
    for its in timed.values():
        yield f"{table(rows(its))}\n\n{RATIOS}:\n\n{table(ratio_rows(its))}"


def as_json(timed: Mapping[str, Sequence[Timed]]) -> str:
    """All numbers, of all networks."""
    found = [{"network": network, **dataclasses.asdict(one)} for network, its in timed.items() for one in its]
    return json.dumps(found, indent=2)
