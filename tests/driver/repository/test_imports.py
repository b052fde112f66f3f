"""What tests share lies in tests/support: no module imports a module of tests, or a conftest."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[2]


def imported(text: str) -> Iterator[str]:
    """The modules, and what may be modules, that a file imports."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{name.name}" for name in node.names)


def of_tests(text: str) -> list[str]:
    """The modules of tests, and the conftests, among what a file imports."""
    found = []
    for name in imported(text):
        parts = name.split(".")
        if parts[0] == "tests" and any(part.startswith("test_") or part == "conftest" for part in parts):
            found.append(name)
    return found


def test_no_file_imports_a_module_of_tests() -> None:
    found = {str(file.relative_to(TESTS)): of_tests(file.read_text()) for file in TESTS.rglob("*.py")}
    assert {file: names for file, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "line",
    ["import tests.dml.test_a", "from tests.dml.test_a import b", "from tests.dml import conftest"],
)
def test_such_an_import_is_found(line: str) -> None:
    assert of_tests(line) != []
