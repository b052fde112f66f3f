"""A training that came to its end."""

from __future__ import annotations

from dataclasses import dataclass

from largebatch.records.run_folder import RunFolder


@dataclass(frozen=True)
class Trained:
    """Its folder, and what was printed on the way."""

    folder: RunFolder
    printed: str
    said: str
