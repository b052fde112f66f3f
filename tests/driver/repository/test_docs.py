"""The documentation as it stands: its links lead somewhere, and its commands exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from largebatch import export
from largebatch.cli.main import build_parser
from largebatch.studies.library import shipped

REPOSITORY = Path(__file__).resolve().parents[3]
PAGES = sorted(
    page.relative_to(REPOSITORY).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "docker/*.md")
    for page in REPOSITORY.glob(pattern)
)
SHELL_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
LINK = re.compile(r"\]\(([^()\s]+)\)")
MOST_LINES = 110


def text_of(page: str) -> str:
    return (REPOSITORY / page).read_text()


def anchors(page: Path) -> set[str]:
    """The names that the headings of a page have in links."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(text: str) -> list[list[str]]:
    """The words of each command in the shell blocks of a page."""
    lines = "\n".join(SHELL_BLOCK.findall(text)).replace("\\\n", " ").splitlines()
    parts = [part for line in lines for part in line.split(" && ")]
    return [words for part in parts if (words := shlex.split(part, comments=True))]


def links(page: str) -> list[str]:
    """Links of a page to files of the repository and to headings."""
    found = LINK.findall(CODE.sub("", text_of(page)))
    return [link for link in found if not link.startswith(("http://", "https://"))]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_and_headings_that_exist(page: str) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (REPOSITORY / page).parent / path if path else REPOSITORY / page
        assert target.exists(), f"{page} links to {link}, which does not exist"
        if anchor:
            assert anchor in anchors(target), f"{page} links to {link}, and {target.name} has no such heading"


@pytest.mark.parametrize("page", PAGES)
def test_commands_have_the_options_that_a_page_gives_them(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "find_spec", lambda name: name)  # pages name trackers that few have installed
    for words in commands(text_of(page)):
        if words[0] == "largebatch":
            build_parser().parse_args(words[1:])


@pytest.mark.parametrize("page", PAGES)
def test_scripts_that_a_page_runs_exist(page: str) -> None:
    for words in commands(text_of(page)):
        for word in words:
            if re.fullmatch(r"(\./)?(scripts|tests|dml|docker)/[\w./]+", word):
                assert (REPOSITORY / word).exists(), f"{page} names {word}, which does not exist"


def test_the_page_on_studies_names_those_that_come_with_the_package() -> None:
    _, _, part = text_of("docs/studies.md").partition("## Studies of the package")
    named = re.findall(r"^\| `([\w-]+)` \|", part.partition("\n## ")[0], re.MULTILINE)
    assert sorted(named) == sorted(shipped())


def test_the_readme_is_read_in_a_few_minutes() -> None:
    assert len(text_of("README.md").splitlines()) <= MOST_LINES


def test_every_page_is_reached_from_the_readme() -> None:
    reached: set[str] = set()
    ahead = ["README.md"]
    while ahead:
        page = ahead.pop()
        reached.add(page)
        targets = ((REPOSITORY / page).parent / link.partition("#")[0] for link in links(page))
        there = {target.resolve().relative_to(REPOSITORY).as_posix() for target in targets}
        ahead += [target for target in there if target in PAGES and target not in reached]
    assert sorted(reached) == PAGES
