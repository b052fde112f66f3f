"""staleness.csv: what checkpoints give, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from largebatch.errors import UserError
from largebatch.records.run_folder import RunFolder
from largebatch.records.staleness import (
    COLUMNS,
    from_matrix,
    no_gradients,
    parse_staleness,
    publish_staleness,
)
from tests.support.harness import write_matrix

MATRIX = np.array([[1, 1, 0, 3], [1, 2, 7, 2], [2, 1, 40, 1]], dtype=float)
TEXT = "epoch,kind,staleness,count\n1,first,0,3\n1,usual,7,2\n2,first,40,1\n"


def test_a_checkpoint_gives_the_rows_and_the_file_gives_them_back(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    write_matrix(tmp_path / "staleness", MATRIX)
    publish_staleness(tmp_path, folder.staleness_file)
    assert folder.staleness_file.read_text() == TEXT
    assert folder.staleness().to_dict("list") == from_matrix(MATRIX).to_dict("list")
    assert [str(kind) for kind in folder.staleness().dtypes[["epoch", "staleness", "count"]]] == ["int64"] * 3


def test_a_run_whose_protocol_counts_none_has_no_file_and_no_rows(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    publish_staleness(tmp_path, folder.staleness_file)
    assert not folder.staleness_file.exists()
    assert folder.staleness().empty
    assert tuple(folder.staleness()) == tuple(no_gradients()) == COLUMNS


@pytest.mark.parametrize(
    "matrix",
    [
        MATRIX[:, :3],
        MATRIX * [1, 3, 1, 1],
        MATRIX * [1, np.nan, 1, 1],
        np.vstack([MATRIX, [3, 2, np.inf, 1]]),
    ],
    ids=["three columns", "an unknown kind", "no kind", "infinite"],
)
def test_other_matrices_are_refused_with_the_checkpoint(tmp_path: Path, matrix: np.ndarray) -> None:
    write_matrix(tmp_path / "staleness", matrix)
    with pytest.raises(UserError, match="staleness is no count of gradients: remove") as refusal:
        publish_staleness(tmp_path, tmp_path / "staleness.csv")
    assert str(refusal.value).endswith(str(tmp_path))
    assert not (tmp_path / "staleness.csv").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "can't be read"),
        (TEXT + "3,usual,1\n", "can't be read"),
        (TEXT + "3,usual,x,1\n", "can't be read"),
        (TEXT + f"3,usual,{10**30},1\n", "can't be read"),
        (TEXT.replace("kind", "sort"), "must have the columns epoch, kind, staleness, count"),
        (TEXT.replace("usual", "late"), "with kinds first and usual"),
        (TEXT.replace(",7,", ",-7,"), "has numbers below zero"),
        (TEXT.replace("2,first", "0,first"), "has numbers below zero"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_staleness(text.encode())
    (tmp_path / "staleness.csv").write_text(text)
    with pytest.raises(UserError, match=words):
        RunFolder(tmp_path).staleness()
