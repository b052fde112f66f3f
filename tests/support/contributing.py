"""docs/contributing.md as data: the files that an addition touches, and the changes of its example."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = (REPOSITORY / "docs" / "contributing.md").read_text()

Change = tuple[str, str]  # the language of a block of code, and its text


def section(title: str) -> str:
    """What stands under a heading of the page, down to the next one of its level."""
    found = re.search(rf"^(#+) {re.escape(title)}\n(.*?)(?=^\1 |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"docs/contributing.md has no heading {title}"
    return found[2]


def additions() -> dict[str, list[str]]:
    """The paths that each kind of addition touches; capital letters stand for names."""
    kinds = re.split(r"^### An? ", section("To add"), flags=re.MULTILINE)[1:]
    return {kind.partition("\n")[0]: re.findall(r"^- `([^`]+)`", kind, re.MULTILINE) for kind in kinds}


def changes(title: str) -> dict[str, Change]:
    """The blocks of code in a section by the path that stands before each."""
    blocks = re.findall(r"^`([^`\n]+)`[^\n]*:\n\n```(\w+)\n(.*?)^```$", section(title), re.M | re.DOTALL)
    return {path: (language, text) for path, language, text in blocks}


def apply(changed: Mapping[str, Change], root: Path) -> None:
    """Carry the changes out in a copy of the repository: a diff in a file, everything else as a new one."""
    for path, (language, text) in changed.items():
        file = root / path
        assert file.exists() == (language == "diff"), f"{path}: only a file that exists has a diff"
        file.write_text(patched(file.read_text(), text, path) if language == "diff" else text)


def patched(text: str, diff: str, path: str) -> str:
    """A text after a diff whose hunks are separated by lines that begin with @@."""
    for hunk in re.split(r"^@@.*\n", diff, flags=re.MULTILINE):
        lines = hunk.splitlines(keepends=True)
        before = "".join(line[1:] for line in lines if line[0] != "+")
        after = "".join(line[1:] for line in lines if line[0] != "-")
        assert not hunk or text.count(before) == 1, f"{path} does not have these lines once:\n{before}"
        text = text.replace(before, after) if hunk else text
    return text
