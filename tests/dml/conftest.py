"""Fixtures of the tests of DML."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from largebatch.engine.session import Session
from largebatch.settings.execution import Execution
from tests.support.harness import DML
from tests.support.training import Trainer


@pytest.fixture(scope="package")
def dml(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DML]:
    """One SystemDS session for all tests of DML, with slots for 8 workers."""
    log = tmp_path_factory.mktemp("session") / "log.txt"
    execution = Execution(mode="local", master="local[8]", memory="2g")
    with Session(execution, workers=8, log=log) as session:
        yield DML(session)


@pytest.fixture(scope="package")
def train(dml: DML, tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    """Trains on synthetic data."""
    return Trainer(dml, tmp_path_factory.mktemp("trainings"))
