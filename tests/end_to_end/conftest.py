"""A small data set in IDX files, and the command line as a user calls it."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from largebatch.data.idx import write_idx
from largebatch.records.run_folder import RunFolder
from tests.support.patience import TIMEOUT_S

Run = Callable[..., subprocess.CompletedProcess[str]]


def write_images(folder: Path, rows: int, side: int, seed: int) -> Path:
    """An IDX data set of noisy bars, three classes: where the bright bar is, left, middle or right."""
    rng = np.random.default_rng(seed)
    for prefix, count in (("train", rows), ("t10k", rows // 4)):
        labels = rng.integers(0, 3, count).astype(np.uint8)
        images = rng.integers(0, 120, (count, side, side)).astype(np.uint8)
        for image, label in zip(images, labels, strict=True):
            third = side // 3
            image[:, label * third : (label + 1) * third] += 80
        write_idx(folder / f"{prefix}-images-idx3-ubyte", images)
        write_idx(folder / f"{prefix}-labels-idx1-ubyte", labels)
    return folder


@pytest.fixture(scope="session")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2002 training images of 16 x 16 (not a multiple of 4 workers), in a folder with an awkward name."""
    folder = tmp_path_factory.mktemp("data") / 'bars, it\'s "quoted" and spaced'
    folder.mkdir()
    return write_images(folder, 2002, 16, 5)


def call(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The command, called in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "largebatch", *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


@pytest.fixture
def largebatch(tmp_path: Path) -> Run:
    """Calls the command in an empty working directory."""
    return functools.partial(call, tmp_path)


def train_arguments(bars: Path, out: Path | str, *more: str) -> list[str]:
    return [
        "train", "--dataset", "idx", "--data-dir", str(bars), "--padding", "valid", "--optimizer", "lars",
        "--batch-size", "256", "--memory", "1g", "--out", str(out), *more,
    ]  # fmt: skip


@dataclass(frozen=True)
class Trained:
    """A training that came to its end: its folder, and what was printed on the way."""

    folder: RunFolder
    printed: str
    said: str


def trained(home: Path, bars: Path, name: str, *more: str) -> Trained:
    """LeNet trained for two epochs."""
    done = call(home, *train_arguments(bars, name, "--epochs", "2", *more))
    assert done.returncode == 0, done.stderr
    return Trained(RunFolder(home / name), done.stdout, done.stderr)


@pytest.fixture(scope="session")
def on_spark(bars: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """In Spark mode, with a master of too few slots."""
    return trained(tmp_path_factory.mktemp("on_spark"), bars, "run", "--master", "local[2]", "--json")


AWKWARD = "a \"run\"; $HOME `id` 'x' naïve ✓ # %20 ~ & | < > (a=b), line\nbreak"


@pytest.fixture(scope="session")
def in_local(bars: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """In local mode, in a folder with an awkward name."""
    return trained(tmp_path_factory.mktemp("in_local"), bars, AWKWARD, "--mode", "local")
