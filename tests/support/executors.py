"""A Python for executors that can't import largebatch, as on a cluster where nobody has installed it."""

from __future__ import annotations

import sys
from pathlib import Path


def python_without_largebatch(home: Path) -> Path:
    """An executable in the folder `home`, which must exist."""
    (home / "sitecustomize.py").write_text('import sys\nsys.modules["largebatch"] = None\n')
    python = home / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{home}:$PYTHONPATH" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return python
