"""Spark's settings: which ones a user may give, and how they are merged with the program's own. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from largebatch.errors import UserError

# Settings that are lists, with their separators: the user's entries are appended to ours.
LISTS = {
    "spark.jars": ",",
    "spark.driver.extraClassPath": ":",
    "spark.driver.extraJavaOptions": " ",
    "spark.executor.extraJavaOptions": " ",
    "spark.executor.extraLibraryPath": ":",
}

# Settings that would change the run, hang it or make it wrong, and the reason that the user is told.
REFUSED = {
    "spark.master": "it is --master",
    "spark.driver.memory": "it is --memory",
    "spark.submit.deployMode": "the driver runs here; a batch job (spark-submit) can have it elsewhere",
    "spark.dynamicAllocation.enabled": "all workers must be there from the first update to the last",
    "spark.speculation": "a worker that runs twice would count its gradients twice",
    "spark.task.maxFailures": "a worker that starts again would count its gradients twice",
    "spark.ps.io.serverThreads": "it follows from --workers: with fewer threads than workers a run hangs",
}

# Spark's own pattern for secrets. Settings are written into config.json and onto the JVM's command line.
_SECRET = re.compile(r"secret|password|token|access[.]?key", re.IGNORECASE)


def is_secret(name: str) -> bool:
    """Whether a setting's value is a secret, judged by its name. The path of a file is none."""
    return _SECRET.search(name) is not None and not name.lower().endswith("file")


def parse(entries: Iterable[str]) -> dict[str, str]:
    """Settings from KEY=VALUE texts; later ones win. Raises UserError for a setting that can't be given."""
    found: dict[str, str] = {}
    for entry in entries:
        name, equals, value = entry.partition("=")
        if not equals or not re.fullmatch(r"spark\.\S+", name):
            raise UserError(
                f"--conf {entry!r} must be KEY=VALUE with a key of Spark, such as spark.executor.memory=2g"
            )
        if name in REFUSED:
            raise UserError(f"--conf {name} can't be set: {REFUSED[name]}")
        if is_secret(name):
            raise UserError(
                f"--conf {name} would be written down with the run: put it into conf/spark-defaults.conf of "
                "Spark ($SPARK_CONF_DIR), or for spark.authenticate.secret use --secure"
            )
        found[name] = value
    return found


def merged(ours: Mapping[str, str], theirs: Mapping[str, str]) -> dict[str, str]:
    """Our settings, overridden by theirs. Where a setting is a list, theirs are appended."""
    lists = {
        name: f"{ours[name]}{separator}{theirs[name]}"
        for name, separator in LISTS.items()
        if ours.get(name) and theirs.get(name)
    }
    return {**ours, **theirs, **lists}
