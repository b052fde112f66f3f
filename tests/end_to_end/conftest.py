"""Trainings that came to their end, for several files of tests to look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from largebatch.records.run_folder import RunFolder
from tests.support.command import run, train_arguments
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
