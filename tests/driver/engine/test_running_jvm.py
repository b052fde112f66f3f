"""DML files for a JVM whose working directory is another program's."""

from __future__ import annotations

from pathlib import Path

from largebatch.engine.running_jvm import copy_with_absolute_sources
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
