"""Fixtures of the tests of reports."""

from __future__ import annotations

import pytest

from largebatch.report import figures


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the figures, which take the most time, where they don't matter."""
    monkeypatch.setattr(figures, "draw", lambda results, cells, epochs: [])
