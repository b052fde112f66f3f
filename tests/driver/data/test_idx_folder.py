"""The data set "idx": spellings of file names, and folders that don't fit together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from largebatch.data import load
from largebatch.data.dataset import Images
from largebatch.data.idx import write_idx
from largebatch.data.idx_folder import SOURCE
from largebatch.errors import UserError


def fill(
    folder: Path,
    spelling: str = "t10k-{}-{}",
    suffix: str = ".gz",
    replaced: Mapping[str, np.ndarray] = MappingProxyType({}),
) -> None:
    """Write a set of 6 training and 4 test images, 5 x 7 pixels, three classes."""
    arrays = {
        "train_images": np.arange(6 * 35, dtype=np.uint8).reshape(6, 5, 7),
        "train_labels": np.array([0, 1, 2, 0, 1, 0], np.uint8),
        "test_images": np.arange(4 * 35, dtype=np.uint8).reshape(4, 5, 7),
        "test_labels": np.array([0, 1, 0, 1], np.uint8),
    } | dict(replaced)
    for part, array in arrays.items():
        word, what = part.split("_")
        kind = "idx3-ubyte" if what == "images" else "idx1-ubyte"
        name = spelling.format(what, kind) if word == "test" else f"train-{what}-{kind}"
        write_idx(folder / f"{name}{suffix}", array)


def test_it_needs_no_network() -> None:
    assert not SOURCE.needs_network


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("spelling", ["t10k-{}-{}", "test-{}-{}", "t10k-{}.{}", "test-{}.{}"])
def test_spellings(tmp_path: Path, cache_home: Path, spelling: str, suffix: str) -> None:
    fill(tmp_path / "my set", spelling, suffix)
    data = load("idx", tmp_path / "my set")
    assert (data.name, data.title) == ("idx", "IDX folder my set")
    assert data.images == Images(5, 7, 3)
    assert data.train.X.shape == (6, 1, 5, 7)
    assert data.parts["test"].y.tolist() == [0, 1, 0, 1]


def test_named_by_the_variable(tmp_path: Path, cache_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path / "sets" / "idx")
    for folder in (tmp_path / "sets", tmp_path / "sets" / "idx"):
        monkeypatch.setenv("LARGEBATCH_DATA", str(folder))
        assert load("idx").classes == 3


def test_no_folder_named(cache_home: Path) -> None:
    with pytest.raises(UserError, match=r"idx is read from a folder .* --data-dir or \$LARGEBATCH_DATA"):
        load("idx")


def test_missing_files_are_named(tmp_path: Path, cache_home: Path) -> None:
    fill(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(UserError, match="lacks t10k-labels-idx1-ubyte "):
        load("idx", tmp_path)
    (tmp_path / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(UserError, match="lacks train-labels-idx1-ubyte, t10k-labels-idx1-ubyte "):
        load("idx", tmp_path)
    with pytest.raises(UserError, match="absent', named by --data-dir, is not a folder"):
        load("idx", tmp_path / "absent")


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"train_labels": np.zeros(5, np.uint8)}, "has 6 images but .*labels.* has 5 labels"),
        ({"test_labels": np.zeros(5, np.uint8)}, "has 4 images but .*labels.* has 5 labels"),
        ({"train_images": np.zeros((6, 35), np.uint8)}, "train-images.* has 2 dimensions; images need 3"),
        ({"test_labels": np.zeros((4, 1), np.uint8)}, "t10k-labels.* has 2 dimensions; labels need 1"),
        ({"test_images": np.zeros((4, 7, 5), np.uint8)}, "5 x 7 pixels but .* 7 x 5; both parts"),
    ],
)
def test_files_that_do_not_fit(
    tmp_path: Path, cache_home: Path, replaced: dict[str, np.ndarray], message: str
) -> None:
    fill(tmp_path, replaced=replaced)
    with pytest.raises(UserError, match=message):
        load("idx", tmp_path)


def test_fingerprint_follows_every_array(tmp_path: Path, cache_home: Path) -> None:
    fill(tmp_path / "a")
    first = load("idx", tmp_path / "a").fingerprint
    assert load("idx", tmp_path / "a").fingerprint == first
    changes = {
        "train_images": np.zeros((6, 5, 7), np.uint8),
        "train_labels": np.zeros(6, np.uint8),
        "test_images": np.zeros((4, 5, 7), np.uint8),
        "test_labels": np.zeros(4, np.uint8),
    }
    for part, array in changes.items():
        fill(tmp_path / "b", replaced={part: array})
        assert load("idx", tmp_path / "b").fingerprint != first


def test_the_largest_label_of_a_byte_is_a_class(tmp_path: Path, cache_home: Path) -> None:
    fill(tmp_path, replaced={"train_labels": np.array([0, 1, 2, 0, 1, 255], np.uint8)})
    assert load("idx", tmp_path).classes == 256


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_folder_without_test_files_is_a_set_without_a_test_part(
    tmp_path: Path, cache_home: Path, suffix: str
) -> None:
    fill(tmp_path, suffix=suffix)
    whole = load("idx", tmp_path)
    for what in ("images-idx3", "labels-idx1"):
        (tmp_path / f"t10k-{what}-ubyte{suffix}").unlink()
    said: list[str] = []
    alone = load("idx", tmp_path, say=said.append)
    assert list(alone.parts) == ["train"]
    assert alone.images == whole.images
    assert alone.fingerprint != whole.fingerprint
    assert said == [f"reading {tmp_path}, which has no test files: nothing is tested"]


def test_training_files_alone_are_not_enough_for_other_sets(tmp_path: Path, cache_home: Path) -> None:
    fill(tmp_path)
    for file in tmp_path.glob("t10k-*"):
        file.unlink()
    with pytest.raises(UserError, match="lacks t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte "):
        load("mnist", tmp_path)
