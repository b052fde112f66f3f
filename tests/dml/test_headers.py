"""What the DML says about itself is true: arguments, defaults, comments, seeds. No JVM, only files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from largebatch.data.dataset import Images, PreparedData
from largebatch.files.names import Argument
from largebatch.files.places import dml_root
from largebatch.runs.program import train_arguments
from tests.support.harness import PROGRAMS
from tests.support.settings import every_choice

ROOT = dml_root() / "dml"
FILES = sorted(ROOT.rglob("*.dml"))
TRAINING = [path for path in FILES if path.parent.name != "bench"]  # what results come from
TESTED = [*FILES, *sorted(PROGRAMS.glob("*.dml"))]
LONGEST = 250  # lines of a file
LEFT_TO_DEFAULTS = {"until", "validation_images", "validation_labels", "extrapolation_rate"}
SIZE = Images(28, 28, 10)

COMMENT = re.compile(r"/\*.*?\*/|#.*?$", re.DOTALL | re.MULTILINE)
FUNCTION = re.compile(
    r"^(\w+) = function\((?P<inputs>.*?)\)\s*return \((?P<outputs>.*?)\) \{\n(?P<body>.*?)^\}",
    re.DOTALL | re.MULTILINE,
)


class Function(NamedTuple):
    """A function of a DML file: names of its arguments and results, and what its body begins with."""

    name: str
    inputs: set[str]
    outputs: set[str]
    comment: str


def relative(path: Path) -> str:
    """A file's name in a test's."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name


every_file = pytest.mark.parametrize("path", TESTED, ids=relative)


def code(path: Path) -> str:
    """A file without its comments."""
    return COMMENT.sub("", path.read_text())


def functions(path: Path) -> Iterator[Function]:
    """The functions of a file."""
    for match in FUNCTION.finditer(path.read_text()):
        comment = re.match(r"\s*/\*(.*?)\*/", match["body"], re.DOTALL)
        inputs, outputs = (set(re.findall(r"(\w+)(?=,|$)", match[group])) for group in ("inputs", "outputs"))
        yield Function(match[1], inputs, outputs, comment[1] if comment else "")


def section(comment: str, title: str) -> set[str] | None:
    """The names explained in a section of a function's comment ("- a, b: ..."), None if it has none."""
    found = re.search(rf"^ *\* {title}\b[^\n]*:$(.*?)(?:^ *\* *$|\Z)", comment, re.DOTALL | re.MULTILINE)
    if found is None:
        return None
    lists: list[str] = re.findall(r"^ *\*  - ([\w, ]+):", found[1], re.MULTILINE)
    return {name for names in lists for name in names.split(", ")}


def documented(path: Path) -> dict[str, str | None]:
    """The arguments in a file's header, and their defaults (None: required)."""
    header = path.read_text().partition("*/")[0]
    table = header.partition("Arguments (")[2].partition(" *\n")[2]
    lines = re.findall(r"^ \*   (\S.*)$", table.partition("\n *\n")[0], re.MULTILINE)
    names = [re.split(r" {2,}", line)[0] for line in lines]  # what stands before the explanation
    found = re.findall(r"(\w+)(?: \(([^)]*)\))?", ", ".join(names))
    assert len({name for name, _ in found}) == len(found)
    return {name: default or None for name, default in found}


def arguments(path: Path) -> dict[str, str | None]:
    """The arguments that a file reads, and their defaults there (None: required)."""
    text = code(path)
    defaults = re.findall(r"ifdef\(\$(\w+), ([^)]*)\)", text)
    assert len(dict(defaults)) == len(set(defaults)), f"{relative(path)} reads an argument with two defaults"
    return {name: dict(defaults).get(name) for name in re.findall(r"\$(\w+)", text)}


def sources(path: Path) -> set[Path]:
    """A program and all files of dml/ that it is made of."""
    found, left = {path}, [path]
    while left:
        named = re.findall(r'source\("\./dml/([^"]+)"\)', code(left.pop()))
        left += {ROOT / name for name in named} - found
        found.update(left)
    return found


def read(program: str) -> dict[str, str | None]:
    """The arguments that a program and its sources read, and their defaults there (None: required)."""
    found: dict[str, str | None] = {}
    for path in sources(ROOT / program):
        for name, default in arguments(path).items():
            assert found.setdefault(name, default) == default, f"{relative(path)}: {name} has two defaults"
    return found


def value(default: str | None) -> str | float | None:
    """A default, written in DML or in prose, in one form."""
    if default is None:
        return None
    plain = default.strip('"') or "none"
    return float(plain) if re.fullmatch(r"-?[\d.]+(e-?\d+)?", plain) else plain


@pytest.mark.parametrize("path", TRAINING, ids=relative)
def test_a_file_documents_the_arguments_that_it_reads_with_their_defaults(path: Path) -> None:
    found = {name: value(default) for name, default in arguments(path).items()}
    assert {name: value(default) for name, default in documented(path).items()} == found


def test_predict_has_the_defaults_of_train() -> None:
    train = read("train.dml")
    shared = {name: default for name, default in read("predict.dml").items() if name in train}
    assert shared.pop("out") is None
    assert len(shared) == 19
    assert shared == {name: train[name] for name in shared}


def passed_to_train() -> dict[str, Argument]:
    """What the command line passes: the defaults of all settings, each where it counts."""
    data = PreparedData(Path("data"), SIZE)
    found: dict[str, Argument] = {}
    for training in every_choice():
        found |= train_arguments(training, "local", data, Path("out"), resume=None)
    return found


def test_the_command_line_passes_every_argument_of_train() -> None:
    assert set(passed_to_train()) | LEFT_TO_DEFAULTS == set(read("train.dml"))


def test_defaults_are_those_of_the_command_line() -> None:
    """Not those of learning rate and mode, which are the whole program's, nor the files."""
    passed = passed_to_train()
    defaults = {name: default for name, default in read("train.dml").items() if default is not None}
    for name in ("learning_rate", "mode", "test_images", "test_labels", *LEFT_TO_DEFAULTS):
        defaults.pop(name)
    written = {
        name: str(passed[name]).upper() if passed[name] is True else str(passed[name]) for name in defaults
    }
    assert {name: value(default) for name, default in written.items()} == {
        name: value(default) for name, default in defaults.items()
    }


@every_file
def test_file_begins_with_what_it_is_for(path: Path) -> None:
    assert re.match(r"/\*\n \* \S", path.read_text())


@every_file
def test_file_is_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST


@every_file
def test_every_function_is_found_by_these_tests(path: Path) -> None:
    assert len(list(functions(path))) == len(re.findall(r"\bfunction\(", code(path)))


@every_file
def test_every_function_says_what_it_returns(path: Path) -> None:
    """By a section "Outputs" with every result; a short one by a sentence or two."""
    for function in functions(path):
        outputs = section(function.comment, "Outputs")
        lines = [line for line in function.comment.splitlines() if line.strip(" *")]
        where = f"{function.name} in {relative(path)}"
        assert lines, where
        assert (len(lines) <= 5) if outputs is None else (outputs == function.outputs), where


@every_file
def test_explained_arguments_of_a_function_are_those_it_has(path: Path) -> None:
    for function in functions(path):
        inputs = section(function.comment, "Inputs")
        assert inputs is None or inputs == function.inputs, f"{function.name} in {relative(path)}"


@pytest.mark.parametrize("path", TRAINING, ids=relative)
def test_every_random_number_comes_from_the_runs_seed(path: Path) -> None:
    """A call of rand or sample names a seed, and takes it from dml/seeds.dml, or from a caller that does."""
    text = code(path)
    calls = re.findall(r"\b(rand|sample)\(((?:[^()]|\([^()]*\))*)\)", text)
    assert len(calls) == len(re.findall(r"\b(?:rand|sample)\(", text))
    for function, arguments in calls:
        if "draw_seed" in arguments:
            assert re.search(r"\bdraw\([^\n]*seeds::", text), arguments
        else:
            assert ("seed=seeds::" if function == "rand" else "seeds::") in arguments, arguments


def test_random_numbers_are_drawn_in_four_places() -> None:
    """So that the test above has seen them."""
    calls = {relative(path): re.findall(r"\b(?:rand|sample)\(", code(path)) for path in TRAINING}
    assert {name: found for name, found in calls.items() if found} == {
        "augmentation.dml": ["rand("],
        "optimizers/extrapolation.dml": ["rand(", "rand("],
        "parameters.dml": ["rand(", "rand("],
        "placements/driver.dml": ["sample("],
        "placements/executors.dml": ["sample("],
    }
