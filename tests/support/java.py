"""A stand-in for Java, of any version."""

from __future__ import annotations

from pathlib import Path


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
