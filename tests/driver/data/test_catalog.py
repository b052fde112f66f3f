"""The list of data sets and `obtain`."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from largebatch.data import SOURCES, Source, catalog, digits, load, obtain
from largebatch.data.idx import write_idx
from largebatch.data.idx_folder import PARTS, spellings
from largebatch.errors import RunError, UserError
from largebatch.files.names import NAME

every_source = pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)


@every_source
def test_a_source_is_found_by_its_name_and_says_how_it_is_had(source: Source) -> None:
    assert SOURCES[source.name] is source
    assert NAME.fullmatch(source.name), "it becomes a part of paths"
    assert source.title and source.how


@every_source
def test_a_source_that_is_not_here_is_not_found_and_nothing_is_written(
    cache_home: Path, source: Source
) -> None:
    assert source.find(None) is None
    if source.needs_network:
        with pytest.raises(UserError, match="not on this machine"):
            source.load(None, False, print)
    assert not cache_home.exists()


def test_nothing_here(cache_home: Path) -> None:
    entries = catalog()
    assert [(e.name, e.where) for e in entries] == [(name, "not here") for name in SOURCES]
    assert all(e.title and e.how for e in entries)
    assert not cache_home.exists()


def test_found_through_the_variable(
    tmp_path: Path, cache_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "sets" / "idx"
    for part in PARTS:
        write_idx(folder / spellings(part)[0], np.ones((2, 3, 3) if "images" in part else (2,), np.uint8))
    monkeypatch.setenv("LARGEBATCH_DATA", str(tmp_path / "sets"))
    assert {e.name: e.where for e in catalog()}["idx"] == str(folder)
    assert obtain("idx") == folder


def test_no_variable_is_as_an_empty_one(cache_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LARGEBATCH_DATA", "")
    assert [e.where for e in catalog()] == ["not here"] * len(SOURCES)


@pytest.mark.parametrize("value", ["/nowhere", "n" * 300])
def test_odd_variable_does_not_break_the_list(
    cache_home: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("LARGEBATCH_DATA", value)
    refused = f"{value!r}, named by $LARGEBATCH_DATA, is not a folder: correct it"
    in_folders = {name for name, source in SOURCES.items() if source.needs_network} | {"idx"}
    assert {e.name: e.problem for e in catalog()} == {
        name: refused if name in in_folders else "" for name in SOURCES
    }
    assert {e.where for e in catalog()} == {"not here"}


NO_FOLDERS = {
    "{}/typing-errer": "correct it",
    "~/data": "only a shell replaces ~",
    "'{}'": "the quotes are part of it",
    '"{}"': "the quotes are part of it",
    "{}\r": "white space around it",
    "$HOME/data": "a variable in it was not replaced",
    "{}/images": "it is a file: name the folder that it lies in",
}


@pytest.mark.parametrize("text", NO_FOLDERS)
@pytest.mark.parametrize("name", ["mnist", "idx"])
def test_a_variable_that_names_no_folder_is_not_passed_over(
    tmp_path: Path, cache_home: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    (tmp_path / "images").touch()
    monkeypatch.setenv("LARGEBATCH_DATA", text.format(tmp_path))
    with pytest.raises(UserError, match=r", named by \$LARGEBATCH_DATA, is not a folder: ") as caught:
        load(name)
    assert NO_FOLDERS[text] in str(caught.value)


def test_an_option_that_names_no_folder_is_told_as_the_variable_is(cache_home: Path) -> None:
    with pytest.raises(
        UserError, match="'~/data', named by --data-dir, is not a folder: only a shell replaces"
    ):
        load("idx", Path("~/data"))


def test_a_folder_that_lacks_the_set_is_told_before_another_is_taken(
    tmp_path: Path, cache_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LARGEBATCH_DATA", str(tmp_path))
    lacks = f"{tmp_path}, named by $LARGEBATCH_DATA, lacks train-images-idx3-ubyte, "
    with pytest.raises(UserError, match=re.escape(lacks)):
        load("idx")
    said: list[str] = []
    with pytest.raises(UserError, match="MNIST is not on this machine"):
        load("mnist", download=False, say=said.append)
    assert said[0].startswith(lacks)


def test_unknown_name(cache_home: Path) -> None:
    for call in (load, obtain):
        with pytest.raises(UserError, match=f"no data set 'unknown'; there are {', '.join(SOURCES)}"):
            call("unknown")


def test_obtain_says_when_nothing_could_be_kept(cache_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digits, "TRAIN_ROWS", 60)
    monkeypatch.setattr(digits, "TEST_ROWS", 10)
    cache_home.parent.mkdir()
    cache_home.write_text("a file in the way")
    with pytest.raises(RunError, match="could not be kept"):
        obtain("digits")
