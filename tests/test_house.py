"""The house: which room imports which, as the source has it; what an addition touches, as the page has it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from largebatch.settings.networks import NETWORKS
from largebatch.settings.optimizers import OPTIMIZERS
from largebatch.settings.protocols import PROTOCOLS
from tests.support.contributing import REPOSITORY, additions

PACKAGE = "largebatch"

# A room imports from its own files and from rows above it.
ROOMS = (
    ("errors", "patience", "__init__"),
    ("terminal", "files"),
    ("data",),
    ("settings",),
    ("records",),
    ("tuning",),
    ("engine",),
    ("runs",),
    ("models",),
    ("export",),
    ("studies",),
    ("simulation",),
    ("report",),
    ("bench",),
    ("doctor",),
    ("ml",),
    ("cli",),
    ("__main__", "spark"),
)
# Rows above that a room leaves alone all the same: a report needs files, and nothing that trains; so does
# a simulation. Prediction and export start no JVM.
TRAINS = ("engine", "runs", "models", "export", "studies")
LEFT_ALONE = {
    "report": TRAINS,
    "simulation": TRAINS,
    "models": ("engine", "runs"),
    "export": ("engine", "runs"),
    "ml": ("studies", "simulation", "report", "bench", "doctor"),
    "cli": ("ml",),
}

DML_ROOMS = (
    ("seeds", "images"),
    ("parameters", "schedules", "checks"),
    ("layers",),
    ("networks", "optimizers", "protocols"),
    ("noise_scale",),
    ("transport", "model"),
    ("augmentation", "evaluation"),
    ("placements",),
    ("worker", "server"),
    ("train", "predict", "evaluate"),
    ("bench",),
)

Rows = tuple[tuple[str, ...], ...]
SOURCE = re.compile(r'^source\("\./dml/([^"]+)\.dml"\)', re.MULTILINE)


class Import(NamedTuple):
    """A file (as a path below its root), and what it imports, in the same form."""

    file: str
    imported: str


def room(path: str) -> str:
    return path.partition("/")[0].removesuffix(".py").removesuffix(".dml")


def imports_of(root: Path) -> Iterator[Import]:
    """Every import of a module of the package below `root`, wherever in a file it stands."""
    for path in sorted(root.rglob("*.py")):
        file = path.relative_to(root).as_posix()
        for node in ast.walk(ast.parse(path.read_text())):
            for name in names_in(node, (PACKAGE, *file.split("/")[:-1])):
                if name.startswith(f"{PACKAGE}."):
                    yield Import(file, name.removeprefix(f"{PACKAGE}.").replace(".", "/"))


def names_in(node: ast.AST, package: tuple[str, ...]) -> list[str]:
    """The absolute names of what an import statement of a module in `package` imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    head = package[: len(package) + 1 - node.level] if node.level else ()
    base = ".".join((*head, *((node.module,) if node.module else ())))
    return [f"{base}.{alias.name}" for alias in node.names]


def sources_of(root: Path) -> Iterator[Import]:
    """Every `source` of a DML file of the program below `root`, which is the folder dml."""
    for path in sorted(root.rglob("*.dml")):
        for name in SOURCE.findall(path.read_text()):
            yield Import(path.relative_to(root).as_posix(), name)


def breaches(imports: Iterator[Import], rows: Rows) -> list[str]:
    """A sentence for each import that goes through a wall."""
    found = []
    for file, imported in imports:
        ours, theirs = room(file), room(imported)
        allowed = rooms_above(ours, rows)
        if theirs != ours and theirs not in allowed:
            found.append(
                f"{file} imports {imported}: {ours} may import only {', '.join(allowed) or 'nothing'}."
            )
    return found


def rooms_above(of: str, rows: Rows) -> list[str]:
    """The rooms that a room may import."""
    above = [row for row in rows if of in row]
    assert above, f"{of} is a new room: give it a row in tests/test_house.py"
    names = [name for row in rows[: rows.index(above[0])] for name in row]
    return [name for name in names if name not in LEFT_ALONE.get(of, ())]


def test_a_room_imports_only_rooms_above_it() -> None:
    assert breaches(imports_of(REPOSITORY / "driver" / PACKAGE), ROOMS) == []


def test_a_dml_file_sources_only_rooms_above_it() -> None:
    assert breaches(sources_of(REPOSITORY / "dml"), DML_ROOMS) == []


def test_no_file_of_a_dml_folder_knows_who_finds_it_by_name() -> None:
    for file, sourced in sources_of(REPOSITORY / "dml"):
        own_by_name = f"{room(file)}/by_name"
        assert sourced != own_by_name, f"{file} sources {sourced}, which sources {file}"


def test_no_test_imports_a_test_module() -> None:
    for path in sorted((REPOSITORY / "tests").rglob("*.py")):
        package = path.relative_to(REPOSITORY).parts[:-1]
        for node in ast.walk(ast.parse(path.read_text())):
            for name in names_in(node, package):
                parts = name.split(".")
                own = [part for part in parts if part.startswith("test_") or part == "conftest"]
                assert parts[0] != "tests" or not own, f"{path} imports {name}: share it in tests/support"


def test_a_breach_is_told_with_the_import_and_what_is_allowed(tmp_path: Path) -> None:
    for name, text in {
        "engine/session.py": "from largebatch.errors import RunError\nfrom ..runs.job import train\n",
        "report/write.py": "def report():\n    import largebatch.engine.java\n",
        "data/idx.py": "from . import cache\nimport numpy\nfrom largebatch import runs\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    head = "errors, patience, __init__, terminal, files"
    assert breaches(imports_of(tmp_path), ROOMS) == [
        f"data/idx.py imports runs: data may import only {head}.",
        f"engine/session.py imports runs/job/train: engine may import only {head}, data, settings, records, "
        "tuning.",
        f"report/write.py imports engine/java: report may import only {head}, data, settings, records, "
        "tuning, simulation.",
    ]


def test_a_source_line_that_goes_down_is_told(tmp_path: Path) -> None:
    (tmp_path / "parameters.dml").write_text('source("./dml/networks/lenet.dml") as lenet\n')
    assert breaches(sources_of(tmp_path), DML_ROOMS) == [
        "parameters.dml imports networks/lenet: parameters may import only seeds, images."
    ]


# ---- what an addition touches ----

MOST_FILES = 4
ADDITIONS = additions()
REGISTERED = {"optimizer": OPTIMIZERS, "network": NETWORKS, "protocol": PROTOCOLS}


def test_the_page_says_what_to_touch_for_everything_that_may_be_added() -> None:
    assert sorted(ADDITIONS) == ["data set", "network", "optimizer", "protocol", "setting"]


@pytest.mark.parametrize("kind", ADDITIONS)
def test_an_addition_touches_at_most_four_files(kind: str) -> None:
    assert 1 < len(ADDITIONS[kind]) <= MOST_FILES


@pytest.mark.parametrize("kind", ADDITIONS)
def test_files_that_an_addition_changes_exist(kind: str) -> None:
    for path in ADDITIONS[kind]:
        assert re.search("[A-Z]{3}", path) or (REPOSITORY / path).exists(), f"{path} does not exist"


@pytest.mark.parametrize("kind", REGISTERED)
def test_everything_that_is_there_has_the_files_that_an_addition_has(kind: str) -> None:
    for path in ADDITIONS[kind]:
        for name in REGISTERED[kind]:
            file = path.replace("NAME", name)
            assert (REPOSITORY / file).exists(), f"{file} does not exist"


@pytest.mark.parametrize("kind", REGISTERED)
def test_no_other_file_of_the_program_names_all_of_a_kind(kind: str) -> None:
    """Such a list would have to change with every addition."""
    for root, pattern in (("dml", "*.dml"), ("driver", "*.py")):
        for file in sorted((REPOSITORY / root).rglob(pattern)):
            text = file.read_text()
            if all(f'"{name}"' in text for name in REGISTERED[kind]):
                path = file.relative_to(REPOSITORY).as_posix()
                assert path in ADDITIONS[kind], f"{path} lists every {kind}"
