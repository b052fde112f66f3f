"""The environment of a session's process, and of Spark's JVM, which inherits it.

Bash, Python, Java and Spark read variables that change what they do. Those variables are passed on only if
they stand in PASSED_ON. All others pass.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from largebatch.engine.user import NAME
from largebatch.errors import UserError

# What Bash (spark-submit is a script), the C library's locale, Python, Java and Spark read.
_STEERING = re.compile(
    r"BASH|ENV$|CDPATH$|GLOBIGNORE$|SHELLOPTS$|POSIXLY_CORRECT$"
    r"|LC_|LANG|LOCPATH$|NLSPATH$"
    r"|PYTHON|_*JAVA_|JDK_|JRE_|CLASSPATH$|_*SPARK_|_*PYSPARK_|MASTER$"
)
PASSED_ON = {
    "JAVA_TOOL_OPTIONS": "options of all JVMs of a site; the session's own come later, and win",
    "JDK_JAVA_OPTIONS": "as JAVA_TOOL_OPTIONS",
    "PYTHONDONTWRITEBYTECODE": "where Python may write",
    "PYTHONHOME": "where Python is",
    "PYTHONNOUSERSITE": "where packages are",
    "PYTHONPATH": "where packages are, without those of another Spark",
    "PYTHONPLATLIBDIR": "where packages are",
    "PYTHONPYCACHEPREFIX": "where Python may write",
    "PYTHONUSERBASE": "where packages are",
    "SPARK_CONF_DIR": "the settings of a site, such as the secret of a cluster",
    "SPARK_DIST_CLASSPATH": "jars of a site; they come last on the class path",
    "SPARK_EXECUTOR_CORES": "executors are the user's",
    "SPARK_EXECUTOR_MEMORY": "executors are the user's",
    "SPARK_LOCAL_HOSTNAME": "the driver's name for a cluster",
    "SPARK_LOCAL_IP": "the driver's address for a cluster",
    "SPARK_PUBLIC_DNS": "the driver's name for a cluster",
    "SPARK_SUBMIT_OPTS": "options of a site, such as Kerberos'; the session's own come later, and win",
    "SPARK_USER": "the user's name on a cluster",
}
# What users set for a reason, and what they can do instead.
UNHEEDED = {
    "_JAVA_OPTIONS": "it would overrule --memory; options of the JVM are --conf "
    "spark.driver.extraJavaOptions=..., or JAVA_TOOL_OPTIONS",
    "PYSPARK_SUBMIT_ARGS": "Spark's options are --master, --memory and --conf",
    "SPARK_DRIVER_MEMORY": "the heap is --memory",
    "SPARK_LOCAL_DIRS": "temporary files lie in TMPDIR",
    "SPARK_REMOTE": "Spark Connect has no JVM here",
}
MEANINGLESS = {"PYSPARK_SUBMIT_ARGS": "pyspark-shell"}  # values that ask for nothing

# The workers are the parallelism. A child's lines must come at once, and in one encoding.
ALWAYS = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONIOENCODING": "utf-8:backslashreplace",
    "PYTHONUNBUFFERED": "1",
}
LOOPBACK = "127.0.0.1"


def of_session(environment: Mapping[str, str], *, loopback: bool, nameless: bool) -> dict[str, str]:
    """What a session with a JVM of its own inherits, of the environment of this process.

    `loopback`: all of Spark is on this machine, whose name needs no address then. `nameless`: the system has
    no name for this user.
    """
    passed = {k: v for k, v in environment.items() if not _STEERING.match(k) or k in PASSED_ON}
    home = spark_home()
    ours = _locale(environment) | {"SPARK_HOME": str(home)}
    settings = environment.get("SPARK_CONF_DIR") or str(_settings_of_another_spark(environment, home) or "")
    if settings:
        ours["SPARK_CONF_DIR"] = _whole(settings)
    if "PYTHONPATH" in passed:
        entries = passed["PYTHONPATH"].split(os.pathsep)
        ours["PYTHONPATH"] = os.pathsep.join(_whole(e) for e in entries if not _is_another_spark(e, home))
    if loopback:
        passed.pop("SPARK_LOCAL_HOSTNAME", None)
        ours["SPARK_LOCAL_IP"] = LOOPBACK
    if nameless:
        ours["SPARK_USER"] = NAME
    return passed | ours


def unheeded(environment: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each variable that users set on purpose, and that has no effect on sessions."""
    for name, instead in UNHEEDED.items():
        if environment.get(name, "").strip() not in ("", MEANINGLESS.get(name)):
            yield f"{name} has no effect here: {instead}."
    home = spark_home()
    other = environment.get("SPARK_HOME", "")
    if other and Path(other).resolve() != home.resolve():
        read = _settings_of_another_spark(environment, home)
        settings = f", with the settings in {read}" if read else ""
        yield f"SPARK_HOME ({other}) has no effect here: the Spark of the package pyspark runs{settings}."
    entries = environment.get("PYTHONPATH", "").split(os.pathsep)
    left_out = [entry for entry in entries if _is_another_spark(entry, home)]
    if left_out:
        yield f"PYTHONPATH has another Spark, which sessions leave out: {os.pathsep.join(left_out)}."


def spark_home() -> Path:
    """The folder of the installed package pyspark, which is a Spark. Raises UserError if there is none."""
    try:
        return Path(str(distribution("pyspark").locate_file("pyspark")))
    except PackageNotFoundError:
        raise UserError("pyspark is not installed: install largebatch again, with its dependencies") from None


def _locale(environment: Mapping[str, str]) -> dict[str, str]:
    """The encoding in which this process names files, as the JVM must do; and English, as JVM_FLAGS say."""
    if sys.getfilesystemencoding() == "utf-8":
        return {"LC_ALL": "C.UTF-8"}
    name = next(environment[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environment.get(name))
    where = {"LOCPATH": environment["LOCPATH"]} if "LOCPATH" in environment else {}
    return {"LC_ALL": name, **where}


def _whole(path: str) -> str:
    """A path in full: a session's working directory is another one. An empty one stays so."""
    return path and os.path.abspath(path)  # noqa: PTH100 - links stay as they are


def _settings_of_another_spark(environment: Mapping[str, str], home: Path) -> Path | None:
    """The folder conf of $SPARK_HOME, where Spark looks for settings without $SPARK_CONF_DIR."""
    other = environment.get("SPARK_HOME", "")
    if not other or environment.get("SPARK_CONF_DIR") or Path(other).resolve() == home.resolve():
        return None
    conf = Path(other) / "conf"
    return conf if conf.is_dir() else None


def conf_folder(environment: Mapping[str, str]) -> Path:
    """The folder in which the Spark of a session finds a site's settings; it may be missing."""
    home = spark_home()
    given = environment.get("SPARK_CONF_DIR") or _settings_of_another_spark(environment, home)
    return Path(given or home / "conf")


def _is_another_spark(entry: str, home: Path) -> bool:
    """Whether an entry of PYTHONPATH has a pyspark that is not the installed one, or its bridge to Java."""
    if re.fullmatch(r"(pyspark|py4j)\b.*\.zip", Path(entry).name):
        return True
    has_pyspark = bool(entry) and (Path(entry) / "pyspark" / "java_gateway.py").is_file()
    return has_pyspark and Path(entry).resolve() != home.parent.resolve()
