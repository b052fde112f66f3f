"""Fixtures of the tests of reports."""

from __future__ import annotations

import pytest

from largebatch.report import figures


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the figures, which take the most time, where they don't matter."""
    for name in ("draw", "draw_rates", "draw_targets", "draw_tuned"):
        monkeypatch.setattr(figures, name, lambda *tables: [])
