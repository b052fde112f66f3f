"""Java's options in tests, and a stand-in for Java, of any version."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

from largebatch.engine.jar import linked_alone, system_ds_jar

# A JVM of a test lives for seconds. Java's second compiler would double its work, and never pay. Nor would a
# check of the classes of Spark and SystemDS, which every JVM outside the tests makes.
SHORT_LIVED = "-XX:TieredStopAtLevel=1 -XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote"

ARCHIVE = Path(sys.prefix) / "classes" / "archive.jsa"  # class_archive makes it


def options() -> str:
    """Options of a test's JVM, for JAVA_TOOL_OPTIONS."""
    return f'{SHORT_LIVED} "-XX:SharedArchiveFile={ARCHIVE}"' if ARCHIVE.exists() else SHORT_LIVED


def class_path(folder: Path) -> str:
    """That of a session's JVM: SystemDS.jar, which is put into the folder, and Spark's jars.

    Java compares class paths by their files, so the archive fits wherever SystemDS.jar is linked to. With the
    jars beside the original it would not fit, and Java does not see that.
    """
    spark = find_spec("pyspark")
    assert spark is not None and spark.origin is not None
    (folder / system_ds_jar().name).unlink(missing_ok=True)
    jars = Path(spark.origin).parent / "jars" / "*"
    return f"{linked_alone(system_ds_jar(), folder)}{os.pathsep}{jars}"


def fake_java(home: Path, version: str) -> Path:
    """A home with an executable that prints what Java prints."""
    executable = home / "bin" / "java"
    executable.parent.mkdir(parents=True)
    executable.write_text(
        "#!/bin/sh\n"
        f"echo '    java.home = {home}' >&2\n"
        f"echo '    java.version = {version}' >&2\n"
        f"echo 'openjdk version \"{version}\" 2025-04-15' >&2\n"
    )
    executable.chmod(0o755)
    return executable
