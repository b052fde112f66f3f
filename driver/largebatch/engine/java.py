"""The Java that SystemDS and Spark run on, and the flags it needs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from largebatch.engine.causes import cause_in
from largebatch.engine.versions import INSTALL_JAVA, JAVA
from largebatch.errors import UserError

TIMEOUT_S = 60.0  # for `java -version`, which takes 0.1 s on an idle machine
PLACES = (
    "/usr/lib/jvm/*17*",
    "/usr/java/*17*",
    "/opt/java*",
    "/opt/java*/*",
    "/opt/*jdk*17*",
    "~/.sdkman/candidates/java/17*",
    "~/.jdks/*17*",
    "/Library/Java/JavaVirtualMachines/*17*/Contents/Home",
    "~/Library/Java/JavaVirtualMachines/*17*/Contents/Home",
    "/opt/homebrew/opt/openjdk@17",
    "/usr/local/opt/openjdk@17",
)

# Driver and executors need these. Without java.lang.ref, tasks that clean up direct buffers fail.
JVM_FLAGS = (
    "--add-modules=jdk.incubator.vector",
    *(
        f"--add-opens=java.base/{package}=ALL-UNNAMED"
        for package in (
            "java.nio",
            "java.io",
            "java.util",
            "java.lang",
            "java.lang.ref",
            "java.util.concurrent",
            "sun.nio.ch",
        )
    ),
)

# SystemDS changes the case of names by the rules of the JVM's language: in Turkish it finds none with an "i".
ENGLISH = ("-Duser.language=en", "-Duser.country=US")
UNUSABLE_LANGUAGES = ("tr", "az", "lt")  # those whose rules differ for letters of ASCII
OPTIONS_OF_ALL_JVMS = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS")


@dataclass(frozen=True)
class Java:
    """A Java installation: its home, its version as printed ("17.0.15"), the version's first number."""

    home: Path
    version: str
    major: int


def find_java() -> Java:
    """Java 17 from $JAVA_HOME, else from the path, else from the usual places.

    A $JAVA_HOME without Java 17 is skipped. Raises UserError, with all Java versions found, if none is 17.
    """
    others: list[str] = []
    reason = ""
    for origin, executable in _candidates():
        java = probe(executable)
        if java is not None and java.major == JAVA:
            return java
        others.append(f"{origin} is {f'Java {java.version}' if java else 'not a Java that runs'}")
        reason = reason or ("" if java else _complaint(executable))
    found = "; ".join(dict.fromkeys(others)) or "none was found"
    mend = f"{reason}; or {INSTALL_JAVA}" if reason else INSTALL_JAVA
    raise UserError(f"Java {JAVA} is needed, but {found}: {mend}, or set JAVA_HOME")


def _candidates() -> Iterator[tuple[str, Path]]:
    """Each executable that may be Java 17, with its name for a message."""
    named = os.environ.get("JAVA_HOME", "")
    if named:
        yield f"JAVA_HOME ({named})", Path(named) / "bin" / "java"
    on_path = shutil.which("java")
    if on_path:
        yield on_path, Path(on_path)
    for place in (Path(os.path.expanduser(pattern)) for pattern in PLACES):  # noqa: PTH111 - without a home, too
        if not place.is_absolute():
            continue
        for executable in sorted(Path(place.anchor).glob(f"{place.relative_to(place.anchor)}/bin/java")):
            yield str(executable), executable


def _complaint(executable: Path) -> str:
    """Why a Java does not run, such as for a limit of the system; "" if it does not say."""
    return cause_in(_said_by(executable).splitlines(), "") or ""


def probe(executable: Path) -> Java | None:
    """The Java behind an executable; None if it doesn't run or isn't Java."""
    properties = dict(re.findall(r"^\s*(java\.\w+) = (.*)$", _said_by(executable), re.MULTILINE))
    home, version = properties.get("java.home", ""), properties.get("java.version", "")
    number = re.match(r"(?:1\.)?(\d+)", version)  # Java 8 calls itself 1.8
    return Java(Path(home.strip()), version.strip(), int(number[1])) if home and number else None


def _said_by(executable: Path) -> str:
    """What Java says about itself; "" if it does not answer."""
    # The properties give the true home, also behind links, version managers and macOS' /usr/bin/java.
    command = [str(executable), "-XshowSettings:properties", "-version"]
    # Options that no Java understands are no property of this one.
    environment = {name: value for name, value in os.environ.items() if name not in OPTIONS_OF_ALL_JVMS}
    try:
        run = subprocess.run(
            command,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
            text=True,
            errors="replace",
            env=environment,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return run.stderr + run.stdout
