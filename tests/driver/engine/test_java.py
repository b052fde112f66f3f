"""Finding Java 17 among others."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from largebatch.engine import java
from largebatch.engine.java import JVM_FLAGS, find_java, probe
from largebatch.errors import UserError
from tests.support.java import fake_java


@pytest.fixture(autouse=True)
def no_java(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without any Java."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(java, "PLACES", (str(tmp_path / "jvm" / "*17*"),))


def test_java_home_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_java(tmp_path, "17.0.1")  # on the path
    fake_java(tmp_path / "jvm" / "java-17", "17.0.2")
    fake_java(tmp_path / "own home", "17.0.3")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "own home"))
    assert find_java() == java.Java(tmp_path / "own home", "17.0.3", 17)


def test_path_comes_before_the_usual_places(tmp_path: Path) -> None:
    fake_java(tmp_path, "17.0.1")
    fake_java(tmp_path / "jvm" / "java-17", "17.0.2")
    assert find_java().version == "17.0.1"


@pytest.mark.parametrize("other", ["21.0.4", "1.8.0_412", "11.0.2", "25-ea"])
def test_other_versions_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: str) -> None:
    fake_java(tmp_path / "other", other)
    fake_java(tmp_path, other)
    fake_java(tmp_path / "jvm" / "a17-but-no-java", other)
    fake_java(tmp_path / "jvm" / "java-17", "17")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "other"))
    assert find_java() == java.Java(tmp_path / "jvm" / "java-17", "17", 17)


def test_none() -> None:
    with pytest.raises(UserError, match=r"Java 17 is needed, but none was found: install Java 17 .*jre"):
        find_java()


def test_error_names_what_was_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_path = fake_java(tmp_path, "21.0.4")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nowhere"))
    with pytest.raises(UserError) as caught:
        find_java()
    message = str(caught.value)
    assert f"JAVA_HOME ({tmp_path / 'nowhere'}) is not a Java that runs; {on_path} is Java 21.0.4" in message
    assert "install Java 17" in message
    assert "\n" not in message


def test_what_keeps_java_from_running_is_said(tmp_path: Path) -> None:
    script = "#!/bin/sh\necho 'Could not reserve enough space for code cache (245760K)' >&2\nexit 1\n"
    executable = tmp_path / "bin" / "java"
    executable.parent.mkdir()
    executable.write_text(script)
    executable.chmod(0o755)
    with pytest.raises(
        UserError, match=r"bin/java is not a Java that runs: the system does not give the JVM the"
    ):
        find_java()


@pytest.mark.parametrize("variable", java.OPTIONS_OF_ALL_JVMS)
def test_options_of_the_user_are_no_property_of_a_java(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    executable = fake_java(tmp_path, "17.0.1")
    executable.write_text(
        executable.read_text().replace("#!/bin/sh\n", f'#!/bin/sh\n[ -z "${variable}" ] || exit 1\n')
    )
    monkeypatch.setenv(variable, "--no-such-option")
    assert find_java().version == "17.0.1"


def test_a_user_without_a_home_is_not_looked_for_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_java(tmp_path / "~" / ".jdks" / "java-17", "17.0.1")  # a folder of that name is no home
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(java, "PLACES", ("~/.jdks/*17*",))
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    with pytest.raises(UserError, match="none was found"):
        find_java()


def test_probe_sees_the_home_behind_a_link(tmp_path: Path) -> None:
    executable = fake_java(tmp_path / "home", "17.0.1")
    link = tmp_path / "java"
    link.symlink_to(executable)
    found = probe(link)
    assert found is not None
    assert found.home == tmp_path / "home"


@pytest.mark.parametrize("script", ["exit 1", "echo hello", "echo '  java.home = /x'", "sleep 5"])
def test_probe_of_something_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    monkeypatch.setenv("PATH", os.defpath)
    monkeypatch.setattr(java, "TIMEOUT_S", 0.5)
    executable = tmp_path / "java"
    executable.write_text(f"#!/bin/sh\nexec 2>&1\n{script.replace('sleep', 'exec sleep')}\n")
    executable.chmod(0o755)
    assert probe(executable) is None


def test_probe_of_what_is_no_program(tmp_path: Path) -> None:
    (tmp_path / "java").write_text("not executable")
    assert probe(tmp_path / "java") is None
    assert probe(tmp_path) is None
    assert probe(tmp_path / "absent") is None


def test_the_real_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.defpath)
    executable = shutil.which("java")
    if executable is None:
        pytest.skip("no Java on the path")
    found = probe(Path(executable))
    assert found is not None
    assert (found.home / "bin" / "java").is_file()
    assert found.version.startswith(str(found.major))


def test_flags() -> None:
    assert JVM_FLAGS[0] == "--add-modules=jdk.incubator.vector"
    assert all(
        flag.startswith("--add-opens=java.base/") and flag.endswith("=ALL-UNNAMED") for flag in JVM_FLAGS[1:]
    )
    assert len(set(JVM_FLAGS)) == 8
