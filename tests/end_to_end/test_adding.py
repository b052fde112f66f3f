"""The example of the contributing page, as it stands there, adds an optimizer to a copy of the repository."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.contributing import REPOSITORY, additions, apply, changes
from tests.support.patience import TIMEOUT_S

NAME = "qhm"
CHANGES = changes("Example: an optimizer")
TESTS = (  # those that go through all optimizers, or all settings
    "tests/reference", "tests/dml/test_headers.py", "tests/dml/test_optimizers.py", "tests/driver/settings",
    "tests/driver/runs/test_program.py", "tests/driver/cli/test_parsing.py", "tests/test_house.py",
)  # fmt: skip


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the repository in which the page's changes have been made."""
    root = tmp_path_factory.mktemp("copy")
    for folder in ("dml", "docs", "driver", "tests"):
        shutil.copytree(REPOSITORY / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "pyproject.toml", root)
    apply(CHANGES, root)
    yield root
    shutil.rmtree(root)


def python(root: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Python with the package of the copy."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=root,
        env=os.environ | {"PYTHONPATH": f"{root / 'driver'}{os.pathsep}{root}"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def test_the_example_touches_the_files_that_the_page_lists_for_an_optimizer() -> None:
    assert sorted(CHANGES) == sorted(path.replace("NAME", NAME) for path in additions()["optimizer"])


def test_the_example_has_the_form_of_the_repository(copy: Path) -> None:
    files = [path for path in CHANGES if path.endswith(".py")]
    for arguments in (("check", "--no-cache"), ("format", "--check", "--no-cache")):
        run = python(copy, "-m", "ruff", *arguments, *files)
        assert run.returncode == 0, run.stdout


@pytest.mark.slow
@pytest.mark.systemds
def test_the_example_passes_the_tests_of_all_optimizers(copy: Path) -> None:
    """Those that train run for the new one alone."""
    its = f"{NAME} or not test_optimizers"
    run = python(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", "-k", its, *TESTS)
    assert run.returncode == 0, run.stdout


@pytest.mark.slow
@pytest.mark.systemds
def test_the_example_trains_from_the_command_line(copy: Path, bars: Path, tmp_path: Path) -> None:
    run = python(
        copy, "-m", "largebatch", "train", "--dataset", "idx", "--data-dir", bars, "--network", "softmax",
        "--optimizer", NAME, "--nu", "0.5", "--mode", "local", "--epochs", "1", "--batch-size", "256",
        "--memory", "1g", "--out", tmp_path / "run",
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert NAME in run.stdout
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["training"]["nu"] == 0.5
