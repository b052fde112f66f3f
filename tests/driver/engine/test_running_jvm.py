"""DML files for a JVM whose working directory is another program's."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from largebatch.engine import running_jvm
from largebatch.engine.java import ENGLISH
from largebatch.engine.running_jvm import copy_with_absolute_sources, missing_flags
from largebatch.files.places import dml_root


def test_placed_files_find_each_other_from_everywhere(tmp_path: Path) -> None:
    to = tmp_path / "placed"
    copy_with_absolute_sources(dml_root() / "dml", to)
    originals = list((dml_root() / "dml").rglob("*.dml"))
    assert len(list(to.rglob("*.dml"))) == len(originals) > 10
    for original in originals:
        before, after = original.read_text(), (to / original.relative_to(dml_root() / "dml")).read_text()
        assert "./dml/" not in "".join(line for line in after.splitlines() if "source(" in line)
        assert after.count(f'"{to}/') == before.count('"./dml/')
    assert f'upd="{to}/worker.dml::gradients"' in (to / "train.dml").read_text()


def jvm_in(language: str) -> Any:
    """As much of a JVM as is asked for its language."""
    locale = SimpleNamespace(getLanguage=lambda: language)
    util = SimpleNamespace(Locale=SimpleNamespace(getDefault=lambda: locale))
    return SimpleNamespace(java=SimpleNamespace(util=util))


@pytest.mark.parametrize(
    ("language", "missing"), [("en", []), ("de", []), ("tr", [*ENGLISH]), ("az", [*ENGLISH])]
)
def test_a_jvm_whose_language_has_other_letters_lacks_flags(
    monkeypatch: pytest.MonkeyPatch, language: str, missing: list[str]
) -> None:
    monkeypatch.setattr(running_jvm, "JVM_FLAGS", ())
    assert missing_flags(jvm_in(language)) == missing
