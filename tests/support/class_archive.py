"""An archive of the classes that a training loads, with which a JVM starts in 70 to 80 % of the CPU time.

`python -m tests.support.class_archive` makes it for the tests, once for an environment. Java ignores one that
does not fit, such as after an upgrade. Source: "Class Data Sharing" in the manual of Java 17.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from largebatch.engine.java import find_java
from largebatch.errors import UserError
from tests.support.command import run, train_arguments
from tests.support.java import ARCHIVE, SHORT_LIVED, class_path
from tests.support.samples import write_bars


def make() -> None:
    """Write the archive, unless it is there. Raises SubprocessError where Java can't, or takes too long."""
    if ARCHIVE.exists():
        return
    print("Making an archive of Java's classes (about a minute) ...", file=sys.stderr)
    ARCHIVE.parent.mkdir(exist_ok=True)
    with TemporaryDirectory(dir=ARCHIVE.parent) as scratch:
        classes, unfinished = Path(scratch) / "classes.txt", Path(scratch) / ARCHIVE.name
        os.environ["JAVA_TOOL_OPTIONS"] = f'{SHORT_LIVED} "-XX:DumpLoadedClassList={classes}"'
        bars = write_bars(Path(scratch), rows=256, side=16, seed=1)
        run(Path(scratch), *train_arguments(bars, Path(scratch) / "run", "--epochs", "1")).check_returncode()
        os.environ["JAVA_TOOL_OPTIONS"] = SHORT_LIVED
        subprocess.run(
            [
                find_java().home / "bin" / "java",
                "-Xshare:dump",
                f"-XX:SharedClassListFile={classes}",
                f"-XX:SharedArchiveFile={unfinished}",
                "-cp",
                class_path(ARCHIVE.parent),
            ],
            check=True,
            capture_output=True,
        )
        unfinished.replace(ARCHIVE)


if __name__ == "__main__":
    try:
        make()
    except (OSError, subprocess.SubprocessError, UserError) as error:  # tests run without it, too
        print(
            f"Java made no archive of its classes, so JVMs of tests take longer to start: {error}",
            file=sys.stderr,
        )
