"""The environment of a session: what of the user's is passed on, and what is said about the rest."""

from __future__ import annotations

import pwd
import re
import sys
from pathlib import Path

import pytest

from largebatch.engine.environment import ALWAYS, PASSED_ON, UNHEEDED, of_session, spark_home, unheeded
from largebatch.engine.own import OWN_JVM
from largebatch.engine.user import is_nameless
from largebatch.settings.execution import Execution

OURS = {"LC_ALL", "SPARK_HOME"}


def cleaned(loopback: bool = True, nameless: bool = False, **environment: str) -> dict[str, str]:
    return of_session(environment, loopback=loopback, nameless=nameless)


@pytest.mark.parametrize(
    "name", ["HOME", "PATH", "TMPDIR", "LD_LIBRARY_PATH", "HADOOP_CONF_DIR", "KRB5CCNAME"]
)
def test_variables_of_the_user_pass(name: str) -> None:
    assert cleaned(**{name: "/x"})[name] == "/x"


@pytest.mark.parametrize("name", [name for name in PASSED_ON if name != "SPARK_LOCAL_HOSTNAME"])
def test_variables_on_the_list_pass(name: str) -> None:
    assert cleaned(loopback=False, **{name: "/x"})[name] == "/x"


@pytest.mark.parametrize(
    "name",
    [
        *UNHEEDED, "PYSPARK_GATEWAY_PORT", "PYSPARK_GATEWAY_SECRET", "PYSPARK_PIN_THREAD", "PYSPARK_PYTHON",
        "SPARK_CONNECT_MODE_ENABLED", "SPARK_ENV_LOADED", "SPARK_TESTING", "SPARK_LAUNCHER_OPTS", "MASTER",
        "_PYSPARK_DRIVER_CONN_INFO_PATH", "CLASSPATH", "JAVA_OPTS", "LANG", "LANGUAGE", "LC_CTYPE", "LOCPATH",
        "PYTHONINSPECT", "PYTHONWARNINGS", "PYTHONSTARTUP", "PYTHONVERBOSE", "BASH_ENV", "ENV", "CDPATH",
        "BASH_FUNC_cd%%", "SHELLOPTS",
    ],
)  # fmt: skip
def test_variables_that_steer_bash_python_java_or_spark_do_not_pass(name: str) -> None:
    assert name not in cleaned(**{name: "x"})


def test_a_sessions_language_is_english_in_the_encoding_of_file_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert cleaned(LC_ALL="tr_TR.UTF-8")["LC_ALL"] == "C.UTF-8"
    assert cleaned(LC_ALL="C")["LC_ALL"] == "C.UTF-8", "Python names files in UTF-8 then"
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "iso8859-1")
    ours = cleaned(LANG="de_DE.ISO-8859-1", LOCPATH="/locales")
    assert (ours["LC_ALL"], ours["LOCPATH"]) == ("de_DE.ISO-8859-1", "/locales")


def test_only_a_cluster_asks_for_the_machines_name() -> None:
    given = {"SPARK_LOCAL_IP": "10.0.0.1", "SPARK_LOCAL_HOSTNAME": "box"}
    here, cluster = cleaned(**given), cleaned(loopback=False, **given)
    assert here["SPARK_LOCAL_IP"] == "127.0.0.1"
    assert "SPARK_LOCAL_HOSTNAME" not in here
    assert given.items() <= cluster.items()
    assert "SPARK_LOCAL_IP" not in cleaned(loopback=False)


def without_a_name(number: int) -> pwd.struct_passwd:
    raise KeyError(number)


def test_a_user_whom_the_system_does_not_know_is_nameless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pwd, "getpwuid", without_a_name)
    assert is_nameless()


def test_a_user_without_a_name_is_given_one() -> None:
    assert "SPARK_USER" not in cleaned()
    assert cleaned(nameless=True)["SPARK_USER"] == "largebatch"


def test_the_spark_of_the_package_runs_with_the_settings_of_another(tmp_path: Path) -> None:
    other = tmp_path / "spark"
    assert cleaned(SPARK_HOME=str(other))["SPARK_HOME"] == str(spark_home())
    assert "SPARK_CONF_DIR" not in cleaned(SPARK_HOME=str(other))
    (other / "conf").mkdir(parents=True)
    assert cleaned(SPARK_HOME=str(other))["SPARK_CONF_DIR"] == str(other / "conf")
    assert cleaned(SPARK_HOME=str(other), SPARK_CONF_DIR="/own")["SPARK_CONF_DIR"] == "/own"


def test_relative_paths_begin_where_the_command_was_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session's working directory is its folder for temporary files."""
    (tmp_path / "spark" / "conf").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    given = cleaned(PYTHONPATH="driver::/x", SPARK_HOME="spark")
    assert given["PYTHONPATH"] == f"{tmp_path / 'driver'}::/x"
    assert given["SPARK_CONF_DIR"] == str(tmp_path / "spark" / "conf")
    assert cleaned(SPARK_CONF_DIR="conf")["SPARK_CONF_DIR"] == str(tmp_path / "conf")


def test_another_spark_is_left_out_of_pythons_path(tmp_path: Path) -> None:
    other = tmp_path / "spark" / "python"
    (other / "pyspark").mkdir(parents=True)
    (other / "pyspark" / "java_gateway.py").touch()
    bridge = f"{other}/lib/py4j-0.10.9.7-src.zip"
    packages = str(spark_home().parent)  # its pyspark is the one that runs
    given = f"/mine:{other}:{bridge}:{packages}:"
    assert cleaned(PYTHONPATH=given)["PYTHONPATH"] == f"/mine:{packages}:"
    (sentence,) = unheeded({"PYTHONPATH": given})
    assert sentence == f"PYTHONPATH has another Spark, which sessions leave out: {other}:{bridge}."


def test_what_a_user_set_in_vain_is_said_with_what_to_do_instead() -> None:
    assert (
        list(unheeded({"PATH": "/bin", "PYSPARK_SUBMIT_ARGS": " pyspark-shell", "_JAVA_OPTIONS": ""})) == []
    )
    assert list(unheeded({"SPARK_HOME": str(spark_home())})) == []
    said = list(unheeded({"_JAVA_OPTIONS": "-Xmx512m", "SPARK_REMOTE": "sc://x", "SPARK_HOME": "/opt/spark"}))
    assert [sentence.split()[0] for sentence in said] == ["_JAVA_OPTIONS", "SPARK_REMOTE", "SPARK_HOME"]
    assert said[0].startswith("_JAVA_OPTIONS has no effect here: it would overrule --memory; ")
    assert said[2].endswith("the Spark of the package pyspark runs.")


def test_a_run_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_LOCAL_DIRS", "/fast")
    assert "SPARK_LOCAL_DIRS has no effect here: temporary files lie in TMPDIR." in OWN_JVM.remarks(
        Execution()
    )


def test_what_a_session_sets_itself_is_not_on_the_list() -> None:
    assert not {*ALWAYS, *OURS} & set(PASSED_ON)


def test_the_page_lists_what_is_passed_on_and_what_is_not() -> None:
    text = (Path(__file__).parents[3] / "docs" / "environment.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", text, re.MULTILINE))
    assert rows == PASSED_ON | UNHEEDED
