"""Names of files: what may become part of a path, and what SystemDS can take."""

from __future__ import annotations

import os
import re
from pathlib import Path

from largebatch.errors import UserError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # of data sets, studies: they become parts of paths
Argument = str | int | float | bool  # of a DML program
DELIMITERS = "\u00b0\u00b7\u2021\u00b6"  # of operands in SystemDS' instructions, where they can't be escaped
TEMPORARY = DELIMITERS + ":&<"  # also of jars for Java; and markup: SystemDS' settings are XML
PATTERNS = "*?[]{}\\"  # patterns in names of files to read: such a file could be written, but not found again


_NUMBER = re.compile("[1-9][0-9]{0,9}")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # such as s3://, whose slashes may have become one


def check_local(path: Path) -> None:
    """Raises UserError for an address, by whose name a folder would be made on this machine."""
    if _ADDRESS.match(str(path)):
        raise UserError(f"{path} is an address; results are kept on this machine: name a folder")


def numbered(folder: Path) -> list[int]:
    """The folders in it whose names are numbers, in order; none if it is missing. Links do not count."""
    if not folder.is_dir():
        return []
    names = (path.name for path in folder.iterdir() if path.is_dir() and not path.is_symlink())
    return sorted(int(name) for name in names if _NUMBER.fullmatch(name))


def check_path(
    path: Path | str, special: str = DELIMITERS + PATTERNS, mend: str = "take another folder"
) -> None:
    """Raises UserError for a path, or other text, that SystemDS would take for something else."""
    text = str(path)
    found = "".join(c for c in special if c in text)
    if found:
        raise UserError(f"{text} has {found} in it, which SystemDS can't have in a path: {mend}")
    if any("\ud800" <= c <= "\udfff" for c in text):
        raise UserError(f"{text!r} is not Unicode, which SystemDS wants of a path: {mend}")


def why_no_folder(text: str) -> str:
    """The end of a sentence about a text that should name a folder and does not: what may be wrong."""
    if os.path.isfile(text):  # noqa: PTH113 - that of Path raises
        return "it is a file: name the folder that it lies in"
    return slip(text) or "correct it"


def slip(text: str) -> str:
    """What may be wrong with a path at which nothing is; empty if nothing can be seen in it."""
    parts = Path(text).parts
    if text != text.strip():
        return "there is white space around it, perhaps the end of a line of Windows: leave it out"
    if any(part[0] in "\"'" or part[-1] in "\"'" for part in parts):
        return "the quotes are part of it: leave them out"
    if any(part.startswith("~") for part in parts):
        return "only a shell replaces ~, and only in front: write the path in full"
    if _ADDRESS.match(text):
        return "addresses are not followed: write the path of a file or folder on this machine"
    if "$" in text:
        return "a variable in it was not replaced: write the path in full"
    return ""
