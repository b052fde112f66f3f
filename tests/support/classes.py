"""Where JVMs have their classes from."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.java import SHORT_LIVED

_LOADED = re.compile(r"\] (\S+) source: (?:file:)?(\S+\.jar)$", re.MULTILINE)
DRIVER, EXECUTOR = "org.apache.spark.deploy.SparkSubmit", "executor.CoarseGrainedExecutorBackend"


def option(folder: Path) -> str:
    """For JAVA_TOOL_OPTIONS: every JVM writes a file in the folder, which must have a plain name."""
    return f"{SHORT_LIVED} -Xlog:class+load=info:file={folder}/%p.txt"


def jars_of(folder: Path, main_class: str) -> list[dict[str, str]]:
    """For each JVM that was started with a class: the name of the jar of each class that it has loaded."""
    texts = [file.read_text() for file in sorted(folder.glob("*.txt"))]
    started = [text for text in texts if f"{main_class} source:" in text]
    return [{name: Path(jar).name for name, jar in _LOADED.findall(text)} for text in started]
