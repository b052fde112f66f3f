"""What a site says of executors: in spark-defaults.conf, and in variables. Spark reads both by itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from largebatch.engine.environment import conf_folder

# Settings that spark-submit takes from the environment where neither its options nor the file has them.
_VARIABLES = {
    "spark.executor.cores": "SPARK_EXECUTOR_CORES",
    "spark.executor.memory": "SPARK_EXECUTOR_MEMORY",
}
_OF_EXECUTORS = (*_VARIABLES, "spark.task.cpus")
# As Java reads properties: a key, and its value after "=", ":" or a space.
_ENTRY = re.compile(r"\s*([^#!\s=:][^\s=:]*)(?:\s*[=:]\s*|\s+)(.*?)\s*")


def executor_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """The site's settings of executors' cores and memory; Spark's own defaults are not among them."""
    found = {name: environment[of] for name, of in _VARIABLES.items() if environment.get(of)}
    defaults = _defaults(conf_folder(environment) / "spark-defaults.conf")
    return found | {name: defaults[name] for name in _OF_EXECUTORS if name in defaults}


def _defaults(file: Path) -> dict[str, str]:
    """The settings of a file; none where it can't be read, as Spark then says itself."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    return {match[1]: match[2] for match in map(_ENTRY.fullmatch, lines) if match}
