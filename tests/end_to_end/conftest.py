"""A small data set in IDX files, and the command line as a user calls it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from largebatch.data.idx import write_idx

Run = Callable[..., subprocess.CompletedProcess[str]]
TIMEOUT_S = 300  # a run that hangs fails its test instead of stopping all


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


@pytest.fixture
def largebatch(tmp_path: Path) -> Run:
    """Calls the command in an empty working directory."""

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "largebatch", *map(str, arguments)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )

    return run
