"""The checkpoints of a run. A checkpoint is the state after an epoch; its manifest makes it valid."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from largebatch.files.names import numbered
from largebatch.files.safe import no_link, read_json, write_atomically

KEPT = 2  # the newest, and the one before in case the newest is damaged
_REQUIRED = ("parameters", "metrics")  # written by train.dml after every epoch
# Those that some runs have: see dml/train.dml.
_FILES = (*_REQUIRED, "memory", "moments", "pending", "arrivals", "staleness")


class Checkpoints:
    """The folder `checkpoints`, with a folder per epoch. Epochs count from 1."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def folder(self, epoch: int) -> Path:
        """The folder of one checkpoint."""
        return self._path / str(epoch)

    def commit(self, epoch: int) -> None:
        """Make a checkpoint that train.dml has written valid: write its manifest."""
        folder = self.folder(epoch)
        there = [name for name in _FILES if name in _REQUIRED or (folder / name).exists()]
        hashes = {name: _sha256(folder / name) for name in there}
        write_atomically(self._manifest(epoch), (json.dumps(hashes, indent=2) + "\n").encode())

    def last(self) -> int:
        """The epoch of the newest valid checkpoint; 0 if there is none."""
        return max((epoch for epoch in self._on_disk() if self._is_valid(epoch)), default=0)

    def damaged(self) -> list[int]:
        """Epochs newer than the last valid checkpoint whose own was committed and has since been damaged."""
        last = self.last()
        return [epoch for epoch in self._on_disk() if epoch > last and self._manifest(epoch).exists()]

    def remove_older(self, epoch: int) -> None:
        """Remove the checkpoints that are no longer needed once this epoch is committed."""
        for old in self._on_disk():
            if old <= epoch - KEPT:
                shutil.rmtree(self.folder(old), ignore_errors=True)

    def remove_newer(self, epoch: int) -> None:
        """Remove the checkpoints after an epoch."""
        for other in self._on_disk():
            if other > epoch:
                shutil.rmtree(self.folder(other))

    def _on_disk(self) -> list[int]:
        return numbered(self._path)

    def _manifest(self, epoch: int) -> Path:
        return self.folder(epoch) / "manifest.json"

    def _is_valid(self, epoch: int) -> bool:
        try:
            hashes = read_json(self._manifest(epoch))
            wanted = [name for name in _FILES if name in _REQUIRED or name in hashes]
            return all(_sha256(self.folder(epoch) / name) == hashes[name] for name in wanted)
        except (OSError, ValueError, KeyError, TypeError):
            return False


def _sha256(path: Path) -> str:
    with open(path, "rb", opener=no_link) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
