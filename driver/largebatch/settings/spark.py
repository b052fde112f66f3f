"""What a user may set of Spark's configuration, and how it is joined with this program's own. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from largebatch.errors import UserError

# Settings that are lists: what the user gives is added to ours, with this between.
LISTS = {
    "spark.jars": ",",
    "spark.driver.extraClassPath": ":",
    "spark.driver.extraJavaOptions": " ",
    "spark.executor.extraJavaOptions": " ",
    "spark.executor.extraLibraryPath": ":",
}

# What would start another run than was asked for, or one that hangs or is wrong, and why.
REFUSED = {
    "spark.master": "it is --master",
    "spark.driver.memory": "it is --memory",
    "spark.submit.deployMode": "the driver runs here; a batch job (spark-submit) can have it elsewhere",
    "spark.dynamicAllocation.enabled": "all workers have to be there from the first update to the last",
    "spark.speculation": "a worker that runs twice would count its gradients twice",
    "spark.task.maxFailures": "a worker that starts again would count its gradients twice",
    "spark.ps.io.serverThreads": "it follows from --workers: with fewer threads than workers a run hangs",
}

# As Spark finds what it has to hide. Settings go into config.json, and on the JVM's command line.
_SECRET = re.compile(r"secret|password|token|access[.]?key", re.IGNORECASE)


def is_secret(name: str) -> bool:
    """Whether a setting's value is for nobody's eyes, by its name; the name of a file is no secret."""
    return _SECRET.search(name) is not None and not name.lower().endswith("file")


def parse(entries: Iterable[str]) -> dict[str, str]:
    """Settings from KEY=VALUE texts, of which later ones win. Raises UserError for what can't be set."""
    found: dict[str, str] = {}
    for entry in entries:
        name, equals, value = entry.partition("=")
        if not equals or not re.fullmatch(r"spark\.\S+", name):
            raise UserError(
                f"--conf {entry!r} has to be KEY=VALUE with a key of Spark, such as spark.executor.memory=2g"
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


def joined(ours: Mapping[str, str], theirs: Mapping[str, str]) -> dict[str, str]:
    """Both settings: theirs before ours, but added to ours where a setting is a list."""
    lists = {
        name: f"{ours[name]}{separator}{theirs[name]}"
        for name, separator in LISTS.items()
        if ours.get(name) and theirs.get(name)
    }
    return {**ours, **theirs, **lists}
