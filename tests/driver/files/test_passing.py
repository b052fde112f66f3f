"""Folders that are gone when nobody needs them."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from largebatch.errors import RunError
from largebatch.files.passing import passing_folder, room

HOLDER = """
import os, sys, time
from pathlib import Path
from largebatch.files.passing import passing_folder
with passing_folder(Path(sys.argv[1])) as folder:
    (folder / "images").write_bytes(bytes(9))
    print(folder.name, flush=True)
    time.sleep(600)
"""


def folders(home: Path) -> set[str]:
    return {path.name for path in home.iterdir() if path.is_dir()}


def test_folders_of_killed_processes_go_and_those_in_use_stay(tmp_path: Path) -> None:
    (tmp_path / "mnist-1").mkdir()
    (tmp_path / "passing-list").touch()
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE, text=True
    ) as held:
        assert held.stdout is not None
        other = held.stdout.readline().strip()
        with passing_folder(tmp_path) as folder:
            assert folders(tmp_path) == {"mnist-1", other, folder.name}
        assert folders(tmp_path) == {"mnist-1", other}
        held.send_signal(signal.SIGKILL)
        held.wait()
    assert folders(tmp_path) == {"mnist-1", other}
    with passing_folder(tmp_path) as folder:
        assert folders(tmp_path) == {"mnist-1", folder.name}


def test_folders_of_older_versions_go_too(tmp_path: Path) -> None:
    (tmp_path / "shards-abc").mkdir()
    (tmp_path / "rows-abc").mkdir()
    with room(tmp_path) as folder:
        assert folders(tmp_path) == {folder.name}


def test_only_what_the_cache_refuses_is_told_of_the_cache(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(RunError, match=r"file cannot be written: File exists; \$XDG_CACHE_HOME"),
        room(tmp_path / "file"),
    ):
        pass
    with pytest.raises(FileNotFoundError), room(tmp_path):
        (tmp_path / "run's own file").read_bytes()
