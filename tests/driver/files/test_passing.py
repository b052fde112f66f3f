"""Folders that are gone when nobody needs them."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from largebatch.files.passing import passing_folder

HOLDER = """
import os, sys, time
from pathlib import Path
from largebatch.files.passing import passing_folder
with passing_folder(Path(sys.argv[1]), "shards-") as folder:
    (folder / "images").write_bytes(bytes(9))
    print(folder.name, flush=True)
    time.sleep(600)
"""


def folders(home: Path) -> set[str]:
    return {path.name for path in home.iterdir() if path.is_dir()}


def test_folders_of_killed_processes_go_and_those_in_use_stay(tmp_path: Path) -> None:
    (tmp_path / "mnist-1").mkdir()
    (tmp_path / "shards-list").touch()
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE, text=True
    ) as held:
        assert held.stdout is not None
        other = held.stdout.readline().strip()
        with passing_folder(tmp_path, "shards-") as folder:
            assert folders(tmp_path) == {"mnist-1", other, folder.name}
        assert folders(tmp_path) == {"mnist-1", other}
        held.send_signal(signal.SIGKILL)
        held.wait()
    assert folders(tmp_path) == {"mnist-1", other}
    with passing_folder(tmp_path, "shards-") as folder:
        assert folders(tmp_path) == {"mnist-1", folder.name}
