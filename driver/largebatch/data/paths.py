"""Data sets that are named by a path: how they are told from names, and what they are called."""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path

from largebatch.data.dataset import Reading
from largebatch.errors import UserError
from largebatch.files.names import NAME

SUFFIXES = (".npz", ".parquet")
_FLAGS = {"resize": "--resize", "grey": "--grey", "shape": "--image-shape"}


def is_path(text: str) -> bool:
    """Whether a data set is named by a path: it has a slash in it, or ends as a file does."""
    return os.sep in text or text in (".", "..") or text.lower().endswith(SUFFIXES)


def short_name(path: Path) -> str:
    """A name made of a path's last part, which can become a part of other paths."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).lstrip("._-")[:40]
    return plain if NAME.fullmatch(plain) else "data"


def refuse_options(reading: Reading, taken: tuple[str, ...], what: str) -> None:
    """Raises UserError for an option of a reading that would change nothing."""
    for name, default in dataclasses.asdict(Reading()).items():
        if name not in taken and getattr(reading, name) != default:
            raise UserError(f"{_FLAGS[name]} changes nothing about {what}: leave it out")
