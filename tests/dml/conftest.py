"""Fixtures of the tests of DML."""

from __future__ import annotations

import pytest

from tests.dml.training import Trainer
from tests.harness import DML


@pytest.fixture(scope="session")
def train(dml: DML, tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    """Trains on synthetic data."""
    return Trainer(dml, tmp_path_factory.mktemp("trainings"))
