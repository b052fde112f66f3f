"""Where the cache lies, also for users without a home."""

from __future__ import annotations

import os
import pwd
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from largebatch.errors import UserError
from largebatch.files.places import cache_dir, folder_of_sessions, temporary_directory


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files; no cache is named."""
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    return tmp_path / "temporary"


def nameless(number: int) -> pwd.struct_passwd:
    raise KeyError(number)


def test_the_cache_is_named_or_in_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_dir() == tmp_path / ".cache" / "largebatch"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_dir() == tmp_path / ".cache" / "largebatch"
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert cache_dir() == Path("/cache/largebatch")


def test_a_user_without_a_home_has_a_cache_among_temporary_files(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nameless)
    assert cache_dir().parent == temporary
    assert cache_dir().stat().st_mode & 0o777 == 0o700


def test_so_has_a_user_whose_home_cannot_be_written(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert cache_dir().parent == temporary


def test_so_has_a_user_whose_home_is_closed_to_him(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as root's, which `docker run --user` leaves in HOME. Path.exists raises then."""

    def exists(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "exists", exists)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    monkeypatch.setenv("HOME", "/root")
    assert cache_dir().parent == temporary


@pytest.mark.parametrize("place", [cache_dir, temporary_directory])
def test_no_folder_for_temporary_files_is_told_in_a_sentence(
    place: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    monkeypatch.setenv("HOME", "/")
    with pytest.raises(UserError, match="no folder for temporary files can be written: set TMPDIR to one"):
        place()


@pytest.mark.parametrize("name", ["a:b", "a&b", "a<b", "a·b"])
def test_temporary_files_of_sessions_lie_where_java_and_systemds_can_read_the_path(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    assert folder_of_sessions() == temporary
    monkeypatch.setattr(tempfile, "tempdir", f"/x/{name}")
    with pytest.raises(UserError, match=f"/x/{name} has {name[1]} in it, .*: set TMPDIR to another folder"):
        folder_of_sessions()


def test_a_cache_that_others_can_write_is_refused(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    monkeypatch.setenv("HOME", "/")
    cache_dir().chmod(0o777)
    with pytest.raises(UserError, match="can be written by others: set XDG_CACHE_HOME to a folder of your"):
        cache_dir()
    (cache,) = temporary.iterdir()
    cache.rmdir()
    cache.symlink_to(temporary.parent)
    with pytest.raises(UserError, match="set XDG_CACHE_HOME"):
        cache_dir()
