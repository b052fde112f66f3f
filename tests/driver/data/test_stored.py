"""Rows in files: what is computed of them is that of the same rows in memory, a block at a time."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from largebatch.data import stored
from largebatch.data.dataset import Dataset, Part
from largebatch.data.stored import Array, Piece, StoredRows
from largebatch.data.validation import cut
from largebatch.errors import RunError
from largebatch.runs.memory import all_packable

KINDS = {"uint8": np.uint8, "float32": np.float32, "float64": np.float64}


def rows(kind: str, seed: int, count: int = 90) -> Array:
    """Images of shape (count, 2, 3, 4)."""
    return np.random.default_rng(seed).integers(0, 256, (count, 2, 3, 4)).astype(KINDS[kind])


def in_files(folder: Path, X: Array, name: str) -> StoredRows:
    """The rows in two files, with bytes before them in the second."""
    first, second = np.split(X, [35])
    (folder / f"{name}-1").write_bytes(first.tobytes())
    (folder / f"{name}-2").write_bytes(b"begin" + second.tobytes())
    return StoredRows([
        Piece(folder / f"{name}-1", X.dtype, first.shape),
        Piece(folder / f"{name}-2", X.dtype, second.shape, 5),
    ])  # fmt: skip


def test_rows_are_indexed_as_those_of_an_array(tmp_path: Path) -> None:
    X = rows("float32", 1)
    found = in_files(tmp_path, X, "X")
    assert (found.shape, found.dtype, found.ndim, found.size) == (X.shape, X.dtype, X.ndim, X.size)
    for which in (slice(None), slice(30, 40), np.array([80, 3, 3, 34, 35]), np.arange(90) % 3 == 0):
        np.testing.assert_array_equal(found[which], X[which])
        np.testing.assert_array_equal(found.taken(which), X[which])
    doubled = found.taken(np.array([80, 3])).mapped(lambda some: some.astype(np.float64) * 2)
    assert (doubled.shape, doubled.dtype) == ((2, 2, 3, 4), np.float64)
    np.testing.assert_array_equal(doubled, X[[80, 3]] * 2)


def test_a_file_that_is_another_or_gone_is_told(tmp_path: Path) -> None:
    found = in_files(tmp_path, rows("uint8", 1), "X")
    (tmp_path / "noise").write_bytes(bytes(5 + 55 * 24))
    os.utime(tmp_path / "noise", ns=(1, (tmp_path / "X-2").stat().st_mtime_ns))
    (tmp_path / "noise").replace(tmp_path / "X-2")
    assert len(found[:35]) == 35
    with pytest.raises(
        RunError, match=r"/X-2 has changed since its rows were first read: begin again with it$"
    ):
        found[30:40]
    (tmp_path / "X-1").unlink()
    with pytest.raises(RunError, match=r"/X-1 can't be read any more: No such file or directory$"):
        found[:35]


@pytest.mark.parametrize("kind", KINDS)
def test_a_data_set_in_files_is_the_same_and_no_more_than_a_block_of_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    y = np.arange(90) % 3
    kept = Dataset("made", "made up", Part(rows(kind, 1), y), Part(rows(kind, 2), y))
    there = [Part(in_files(tmp_path, part.X, name), y) for name, part in kept.parts.items()]
    read: list[int] = []
    get = StoredRows.__getitem__

    def watched(self: StoredRows, which: Any) -> Array:
        found = get(self, which)
        read.append(found.nbytes)
        return found

    monkeypatch.setattr(stored, "BLOCK", 1000)
    monkeypatch.setattr(StoredRows, "__getitem__", watched)
    both = cut(kept, 20, 50), cut(Dataset("made", "made up", *there), 20, 50)
    for figures in zip(*map(facts, both), strict=True):
        assert figures[0] == figures[1]
    assert 0 < max(read) <= 1000


def facts(data: Dataset) -> list[Any]:
    """What the program asks of a data set before a run."""
    looks = [(part.look, part.nonzero, part.in_bytes) for part in data.parts.values()]
    return [data.fingerprint, data.origin, data.images, data.classes, all_packable(data), *looks]
