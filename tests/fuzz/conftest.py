"""A limit of memory for fuzz tests, and a count of their inputs at the end."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest

from tests.support import fuzzing as harness

MEMORY = 4096 * harness.MIB  # of the whole process: what an input makes blow up is seen


@pytest.fixture(autouse=True)
def _bounded() -> Iterator[None]:
    """A limit of memory while inputs are read, where many are asked for."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    if harness.EXAMPLES:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A line per reader."""
    if not harness.EXAMPLES:
        return
    terminalreporter.section("inputs")
    for reader, count in harness.inputs.items():
        refused, took = harness.refused[reader], harness.slowest[reader]
        terminalreporter.line(f"{reader:16} {count:7} inputs, {refused:7} refused, slowest {took:.2f} s")
    failed = len(terminalreporter.stats.get("failed", []))
    terminalreporter.line(f"{'all':16} {sum(harness.inputs.values()):7} inputs, {failed} findings")
