"""What several files of tests share: trainings that came to their end, and a session to borrow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from largebatch.engine.session import Session
from largebatch.records.run_folder import RunFolder
from largebatch.settings.execution import Execution
from tests.support.command import run, train_arguments
from tests.support.lent import Lender
from tests.support.patience import TIMEOUT_S
from tests.support.trained import Trained


def trained(home: Path, bars: Path, name: str, *more: str) -> Trained:
    """LeNet trained for two epochs."""
    done = run(home, *train_arguments(bars, name, "--epochs", "2", *more))
    assert done.returncode == 0, done.stderr
    return Trained(RunFolder(home / name), done.stdout, done.stderr)


@pytest.fixture(scope="session")
def on_spark(bars: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """In Spark mode, with a master of too few slots."""
    return trained(tmp_path_factory.mktemp("on_spark"), bars, "run", "--master", "local[2]", "--json")


AWKWARD = "a \"run\"; $HOME `id` 'x' naïve ✓ # %20 ~ & | < > (a=b), line\nbreak"


@pytest.fixture(scope="session")
def in_local(bars: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """In local mode, with evaluations within epochs, in a folder with an awkward name."""
    more = ("--mode", "local", "--evaluate-every", "3", "--target-accuracy", "0.5,1")
    return trained(tmp_path_factory.mktemp("in_local"), bars, AWKWARD, *more)


@pytest.fixture(scope="session")
def lender(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lender]:
    """A session in local mode for commands in which no JVM has to start or end."""
    execution = Execution(mode="local", memory="512m", stall_timeout=TIMEOUT_S)
    with Session(execution, 4, tmp_path_factory.mktemp("lender") / "log.txt") as session:
        yield Lender(session, execution)
