"""Where things lie on disk: the program's DML files, the user's cache."""

from __future__ import annotations

import os
from pathlib import Path


def dml_root() -> Path:
    """Folder that contains `dml/`: the installed package, or the checkout it was installed from (-e)."""
    package = Path(__file__).resolve().parents[1]
    return package if (package / "dml").is_dir() else package.parents[1]


def cache_dir() -> Path:
    """The user's cache folder of this program ($XDG_CACHE_HOME/largebatch, else ~/.cache/largebatch)."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    root = Path(base) if base.startswith("/") else Path.home() / ".cache"
    return root / "largebatch"
