"""Where prepared data lie, and when they are made. The conversion itself is tested end to end."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from largebatch.data import Dataset
from largebatch.data.dataset import Images, PreparedData, UInt8Array
from largebatch.engine.session import Session
from largebatch.errors import RunError
from largebatch.runs import prepare as module
from largebatch.runs.prepare import prepare, prepared_folder
from largebatch.settings.execution import Execution
from tests.support.samples import dataset


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """A session that was not started, and that nothing can be asked of."""
    return Session(Execution(), workers=1, log=tmp_path / "log.txt")


def test_the_folder_lies_in_the_cache_and_names_the_set(cache_home: Path) -> None:
    folder = prepared_folder(dataset())
    assert folder.parent == cache_home / "prepared"
    assert folder.name.startswith("idx-")
    assert not cache_home.exists(), "asking makes nothing"


def test_equal_data_share_a_folder(cache_home: Path) -> None:
    assert prepared_folder(dataset()) == prepared_folder(dataset())
    assert prepared_folder(dataset()) == prepared_folder(dataset(title="of another name"))


@pytest.mark.parametrize("array", ["X", "y"])
@pytest.mark.parametrize("part", ["train", "test", "validation"])
def test_one_other_value_makes_another_folder(cache_home: Path, part: str, array: str) -> None:
    data = dataset()
    data = dataclasses.replace(data, validation=data.test)
    values: UInt8Array = getattr(data.parts[part], array).copy()
    values.flat[-1] ^= 1
    changed: dict[str, Any] = {part: dataclasses.replace(data.parts[part], **{array: values})}
    assert prepared_folder(dataclasses.replace(data, **changed)) != prepared_folder(data)


def test_other_names_shapes_and_layouts_make_other_folders(
    cache_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = dataset()
    renamed = dataclasses.replace(data, name="mnist")
    reshaped = Dataset.from_arrays(
        data.name,
        data.title,
        train_images=data.parts["train"].X.reshape(-1, 2, 8),
        test_images=data.parts["test"].X.reshape(-1, 2, 8),
        train_labels=data.parts["train"].y,
        test_labels=data.parts["test"].y,
    )
    folders = {prepared_folder(d) for d in (data, renamed, reshaped)}
    monkeypatch.setattr(module, "LAYOUT", module.LAYOUT + 1)
    assert len(folders | {prepared_folder(data)}) == 4


def put_there(folder: Path) -> None:
    """A prepared data set, as far as anyone looks at it."""
    (folder / "train_images").mkdir(parents=True)
    (folder / "train_images" / "0").write_bytes(b"pixels")
    (folder / module.SIZES).write_text('{"train_images/0": 6}')


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / "train_images" / "0").write_bytes(b"pixel"),
        lambda folder: (folder / "train_images" / "0").unlink(),
        lambda folder: (folder / module.SIZES).unlink(),
        lambda folder: (folder / module.SIZES).write_text("{"),
    ],
)
def test_prepared_data_that_are_cut_short_are_not_whole(
    tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    put_there(tmp_path / "set")
    assert module.is_whole(tmp_path / "set")
    spoil(tmp_path / "set")
    assert not module.is_whole(tmp_path / "set")


def test_data_that_are_there_are_not_made_again(cache_home: Path, session: Session) -> None:
    data = dataset()
    put_there(prepared_folder(data))
    found = prepare(data, session)
    assert found == PreparedData(prepared_folder(data), Images(height=4, width=4, classes=3))
    assert found.matrix("train_images") == prepared_folder(data) / "train_images"


def test_a_cache_that_cannot_be_written_is_a_run_error(cache_home: Path, session: Session) -> None:
    cache_home.parent.mkdir(parents=True)
    cache_home.write_text("a file")
    with pytest.raises(RunError, match=r"prepared.* cannot be written: "):
        prepare(dataset(), session)


def test_a_process_that_was_faster_wins_and_nothing_is_left(tmp_path: Path) -> None:
    made, there = tmp_path / "made", tmp_path / "there"
    for folder in (made, there):
        folder.mkdir()
        (folder / "train_images").write_text(folder.name)
    module._publish(made, there)
    assert (there / "train_images").read_text() == "there"
    assert not made.exists()
