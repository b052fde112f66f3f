"""Line numbers of the tables and keys of a TOML file, which tomllib does not report. Pure."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

# Comments and strings: a quote inside one of them does not start another.
_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"""|\'\'\'.*?\'\'\'|#[^\n]*|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'', re.DOTALL
)
_HEADER = re.compile(r"\s*\[\[?\s*([A-Za-z0-9_.-]+)\s*\]\]?\s*(?:#.*)?")
_KEY = re.compile(r"""\s*(?:([A-Za-z0-9_-]+)\s*\.\s*)?["']?([A-Za-z0-9_-]+)["']?\s*=""")
# The table ("" for the top), its number among tables of that name, the key ("" for the table itself).
Place = tuple[str, int, str]


@dataclass(frozen=True)
class Lines:
    """Line numbers of a document's tables and keys."""

    places: dict[Place, int] = field(default_factory=dict)

    def find(self, table: str, number: int = 0, key: str = "") -> int:
        """The key's line, else its table's, else that of the key that holds the table, else the first."""
        for place in ((table, number, key), (table, number, ""), ("", 0, table), ("", 0, key)):
            if place in self.places:
                return self.places[place]
        return 1


def _without_text(token: re.Match[str]) -> str:
    """A string over several lines without its text; other tokens as they are."""
    several = token[0].startswith(('"""', "'''"))
    return "''" + "\n" * token[0].count("\n") if several else token[0]


def locate(text: str) -> Lines:
    """Lines of the `[table]`s, `[table.table]`s, `[[table]]`s and keys of a document."""
    # Strings over several lines are reduced to their line breaks: their text must not look like keys.
    text = _TOKEN.sub(_without_text, text)
    places: dict[Place, int] = {}
    seen: Counter[str] = Counter()
    table, number = "", 0
    for line_number, line in enumerate(text.split("\n"), start=1):
        if header := _HEADER.fullmatch(line):
            table = header[1]
            number = seen[table]
            seen[table] += 1
            places[table, number, ""] = line_number
        elif key := _KEY.match(line):
            place = (key[1], 0, key[2]) if key[1] else (table, number, key[2])
            places.setdefault(place, line_number)
    return Lines(places)
