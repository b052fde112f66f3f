"""Scripts by which shells complete the command line."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from largebatch.cli.completion import FILES, FOLDERS, SHELLS, _actions, script
from largebatch.cli.main import COMMANDS, build_parser
from largebatch.settings.optimizers import OPTIMIZERS
from largebatch.studies.library import shipped
from tests.support.command import call
from tests.support.patience import TIMEOUT_S

COMPLETE = """source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_shtab_largebatch
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the script of each shell, as the command prints it."""
    folder = tmp_path_factory.mktemp("scripts")
    for shell in SHELLS:
        done = call(["--print-completion", shell])
        assert (done.returncode, done.stderr) == (0, "")
        (folder / shell).write_text(done.stdout)
    return folder


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "runs" / "first").mkdir(parents=True)
    (tmp_path / "mine.toml").touch()
    (tmp_path / "digit.png").touch()
    return tmp_path


def run(*arguments: str | Path, cwd: Path) -> str:
    return subprocess.run(
        arguments, cwd=cwd, capture_output=True, text=True, timeout=TIMEOUT_S, check=True
    ).stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_valid(scripts: Path, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    assert run(shell, "-n", shell, cwd=scripts) == ""


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("tr", ["train"]),
        ("", [command.__name__.rpartition(".")[2] for command in COMMANDS]),
        ("train --optimizer ", list(OPTIMIZERS)),
        ("train --batch-s", ["--batch-size", "--batch-size-per-worker"]),
        ("train --no-det", ["--no-deterministic"]),
        ("data ", ["list", "prepare"]),
        ("train --out r", ["runs"]),
        ("train --out d", []),
        ("train --resume runs/", ["runs/first"]),
        ("report runs/f", ["runs/first"]),
        ("predict runs/first d", ["digit.png"]),
        ("sweep qu", ["quick"]),
        ("sweep mi", ["mine.toml"]),
        ("sweep ", [*shipped(), "digit.png", "mine.toml", "runs"]),
        ("--print-completion ", list(SHELLS)),
    ],
)
def test_bash_completes_what_may_come_next(scripts: Path, place: Path, line: str, offered: list[str]) -> None:
    words = ["largebatch", *line.split(" ")]
    lines = run("bash", "--norc", "-c", COMPLETE, "bash", scripts / "bash", *words, cwd=place).splitlines()
    assert sorted(word for word in lines if word) == sorted(offered)


def test_every_path_is_completed() -> None:
    parser = build_parser()
    script(parser, "bash")
    taking = {action.metavar for action in _actions(parser) if hasattr(action, "complete")}
    assert taking == {*FOLDERS, *FILES, "STUDY", "DATASET"}
    paths = {
        action.metavar
        for action in _actions(parser)
        if getattr(action.type, "__name__", "") in ("Path", "local_path")
    }
    assert paths <= taking


def test_other_shells_are_refused() -> None:
    done = call(["--print-completion", "fish"])
    assert done.returncode == 2
    assert "argument --print-completion: invalid choice: 'fish'" in done.stderr
