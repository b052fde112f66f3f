"""What a fault is, how it is provoked, what is promised: once, for its test and for docs/reliability.md."""

from __future__ import annotations

import pytest


def fault(fault: str, how: str, promise: str, *, quick: bool = False) -> pytest.MarkDecorator:
    """Marks a test as a row of the table; all but the quick ones are marked slow, too."""
    return pytest.mark.faults(fault=fault, how=how, promise=promise, quick=quick)
