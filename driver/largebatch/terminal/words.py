"""Words of sentences that people read."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """A number of things, such as "1 epoch" or "3 epochs"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
