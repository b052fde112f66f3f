"""OpenBLAS for SystemDS: where the system has it, and a folder that SystemDS can load it from.

Without OpenBLAS, matrix products run in Java, which takes longer. On a CPU that it doesn't know, OpenBLAS
before 0.3.25 takes kernels of 2004, even if the CPU has AVX (issue 4267 of OpenMathLib/OpenBLAS). Sessions
name better ones then.
"""

from __future__ import annotations

import os
import platform
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from largebatch.errors import RunError, UserError

VARIABLE = "LARGEBATCH_OPENBLAS"
OPENBLAS_NAMES = ("libopenblas.so", "libopenblas.so.0")
GOMP_NAMES = ("libgomp.so.1",)
LIBRARY_FOLDERS = (
    "/usr/local/lib",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
)
SUPPORTED = ("Linux", "x86_64")  # SystemDS.jar has its own native library for no other Unix
INSTALL = "install OpenBLAS and libgomp (on Debian and Ubuntu: libopenblas0 libgomp1)"

CORE_TYPE = "OPENBLAS_CORETYPE"  # OpenBLAS' own variable, which names its kernels
FALLBACK = "Prescott"  # the kernels for a CPU that OpenBLAS doesn't know
# Kernels, and the flags of a CPU that can run them; the fastest come first.
KERNELS = {
    "SkylakeX": {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl", "fma"},
    "Haswell": {"avx2", "fma"},
}
CPUINFO = Path("/proc/cpuinfo")
ASK = """\
import ctypes, sys
library = ctypes.CDLL(sys.argv[1])
library.openblas_get_corename.restype = ctypes.c_char_p
print(library.openblas_get_corename().decode())
"""


@dataclass(frozen=True)
class Native:
    """The two libraries (None if not found), and whether SystemDS can use them on this platform."""

    openblas: Path | None
    gomp: Path | None
    supported: bool

    @property
    def usable(self) -> bool:
        """Whether SystemDS can compute with OpenBLAS."""
        return self.supported and self.openblas is not None and self.gomp is not None


def find_native() -> Native:
    """Look for the libraries. Raises UserError if $LARGEBATCH_OPENBLAS names something else."""
    cached = _linker_cache()
    return Native(
        openblas=_named() or _find(OPENBLAS_NAMES, cached),
        gomp=_find(GOMP_NAMES, cached),
        supported=(platform.system(), platform.machine()) == SUPPORTED,
    )


def linked_folder(cache: Path) -> Path | None:
    """A folder in `cache` with a link libopenblas.so, for SystemDS to load; None without OpenBLAS.

    Several processes may make the link at once. Raises UserError as `find_native` does, RunError if the cache
    can't be written.
    """
    native = find_native()
    if not native.usable or native.openblas is None:
        return None
    folder = cache / "native"
    link = folder / "libopenblas.so"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not (link.is_symlink() and link.readlink() == native.openblas):
            part = link.with_name(f".{link.name}.{secrets.token_hex(8)}.part")
            part.symlink_to(native.openblas)
            part.replace(link)
    except OSError as error:
        raise RunError(
            f"{folder} cannot be written: {error.strerror or error}; "
            "$XDG_CACHE_HOME moves the cache elsewhere"
        ) from error
    return folder


def kernels(environment: Mapping[str, str]) -> str | None:
    """The kernels that OpenBLAS takes on this machine, such as "Haswell"; None without an answer.

    Raises UserError as `find_native` does.
    """
    native = find_native()
    if not native.usable:
        return None
    command = [sys.executable, "-I", "-S", "-c", ASK, str(native.openblas)]
    try:
        run = subprocess.run(
            command, env=dict(environment), capture_output=True, timeout=60, check=True, text=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return run.stdout.strip() or None


def better_kernels(environment: Mapping[str, str]) -> dict[str, str]:
    """The variable of OpenBLAS that names faster kernels, if it doesn't know this CPU; else nothing.

    What a user chose with $OPENBLAS_CORETYPE stays. Raises UserError as `find_native` does.
    """
    if environment.get(CORE_TYPE) or kernels(environment) != FALLBACK:
        return {}
    flags = _cpu_flags()
    fit = [name for name, needed in KERNELS.items() if needed <= flags]
    return {CORE_TYPE: fit[0]} if fit else {}


def _cpu_flags() -> set[str]:
    try:
        found = re.search(r"^flags\s*:(.*)$", CPUINFO.read_text(), re.MULTILINE)
    except OSError:
        return set()
    return set(found[1].split()) if found else set()


def _named() -> Path | None:
    """The library that $LARGEBATCH_OPENBLAS names, by its file or its folder."""
    value = os.environ.get(VARIABLE, "")
    if not value:
        return None
    path = Path(value).absolute()
    found = path if path.is_file() else _first(path / name for name in OPENBLAS_NAMES)
    if found is None:
        raise UserError(
            f"${VARIABLE} is {value!r}, neither OpenBLAS nor a folder with {' or '.join(OPENBLAS_NAMES)}; "
            "correct or unset it"
        )
    return found


def _find(names: tuple[str, ...], cached: dict[str, Path]) -> Path | None:
    listed = (cached[name] for name in names if name in cached)
    usual = (Path(folder) / name for folder in LIBRARY_FOLDERS for name in names)
    return _first(listed) or _first(usual)


def _first(paths: Iterator[Path]) -> Path | None:
    return next((path for path in paths if path.is_file()), None)


def _linker_cache() -> dict[str, Path]:
    """The 64-bit libraries that `ldconfig -p` lists, by name; empty where there is no ldconfig."""
    # Debian's ordinary users don't have /sbin on the path.
    command = shutil.which("ldconfig") or "/sbin/ldconfig"
    try:
        run = subprocess.run([command, "-p"], capture_output=True, timeout=60, check=True, text=True)
    except (OSError, subprocess.SubprocessError):
        return {}
    entries = re.findall(r"^\s*(\S+) \([^)]*x86-64[^)]*\) => (.+)$", run.stdout, re.MULTILINE)
    # Of several entries the linker takes the first: so does this.
    return {name: Path(path) for name, path in reversed(entries)}
