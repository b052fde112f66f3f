"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from largebatch.config import Execution
from largebatch.launch import Session
from tests.harness import DML


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all-faults", action="store_true", help="also the fault tests that are not quick")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Hand what is said of a fault on to the report; leave the slower faults to scripts/reliability.sh."""
    left_out = []
    for item in items:
        mark = item.get_closest_marker("faults")
        if mark is not None:
            texts = dict(mark.kwargs)
            if not texts.pop("quick") and not config.getoption("--all-faults"):
                left_out.append(item)
            item.user_properties.extend(texts.items())
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


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


@pytest.fixture(scope="session")
def dml(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DML]:
    """One SystemDS session for all tests of DML, with slots for 8 workers."""
    log = tmp_path_factory.mktemp("session") / "log.txt"
    execution = Execution(mode="local", master="local[8]", memory="2g", stall_timeout=120)
    with Session(execution, workers=8, log=log) as session:
        yield DML(session)
