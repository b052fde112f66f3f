"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def mnist_dir() -> Path:
    """Folder of the four MNIST files, gzipped, named by $LARGEBATCH_TEST_MNIST."""
    folder = os.environ.get("LARGEBATCH_TEST_MNIST")
    if not folder:
        pytest.skip("$LARGEBATCH_TEST_MNIST does not name a folder with the four MNIST files")
    return Path(folder)


@pytest.fixture
def cache_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty cache of the program, and no data set or mirror named by the environment."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    for variable in ("LARGEBATCH_DATA", "LARGEBATCH_MIRROR"):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path / "xdg" / "largebatch"
