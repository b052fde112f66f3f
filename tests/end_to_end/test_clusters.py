"""Several machines, as far as one machine has them: executors in JVMs of their own, a standalone cluster with
authentication and encryption, batch jobs of spark-submit. All have to give what local mode gives.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from largebatch.engine.environment import spark_home
from largebatch.engine.jar import system_ds_jar
from largebatch.engine.java import find_java
from largebatch.engine.secret import SECRET_FILE
from largebatch.files.places import dml_root
from largebatch.records.run_folder import RunFolder
from tests.support import classes
from tests.support.lent import Lender
from tests.support.outcomes import MODES_AGREE, results, runs, without_times
from tests.support.patience import TIMEOUT_S, limit
from tests.support.processes import descends, session_processes

pytestmark = [pytest.mark.systemds, pytest.mark.spark]

ROOT = Path(__file__).parents[2]
LOCAL_CLUSTER = "local-cluster[2,1,1024]"
STUDY = """
name = "small"
[fixed]
dataset = "idx"
network = "softmax"
batch_size = 400
workers = 2
epochs = 2
[execution]
memory = "1g"
[[grid]]
optimizer = ["sgd_momentum", "lars"]
"""


def call(
    *command: str | Path, cwd: Path = ROOT, secret: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"JAVA_HOME": str(find_java().home), **variables}
    if secret:
        environment[SECRET_FILE] = str(secret)
    return subprocess.run(
        [*map(str, command)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


@dataclass(frozen=True)
class Cluster:
    """A standalone cluster of two workers, which takes only who knows the secret in its file."""

    url: str
    secret: Path
    seconds: float  # that it took to start


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("standalone")
    (folder / "secret").write_text("one/of+ours=\n")
    (folder / "other").write_text("another\n")
    import pyspark

    where = {
        "STANDALONE_DIR": str(folder / "cluster"),
        "SPARK_HOME": str(Path(pyspark.__file__).parent),
        "COLUMNS": "80",  # as exported by some shells: it must not shorten what `ps` says
    }
    begun = time.monotonic()
    started = call("scripts/standalone.sh", "start", "2", "1g", secret=folder / "secret", **where)
    try:
        assert started.returncode == 0, started.stderr
        yield Cluster(started.stdout.strip(), folder / "secret", time.monotonic() - begun)
        assert session_processes("one/of+ours") == [], "secrets are on no command line"
        logs = [file for file in (folder / "cluster").rglob("*") if file.name.endswith((".log", "stderr"))]
        assert len(logs) >= 3, "of the master and the workers, who write down how they start executors"
        assert not any("one/of+ours" in file.read_text() for file in logs)
    finally:
        stopped = call("scripts/standalone.sh", "stop", **where)
    assert (stopped.returncode, stopped.stdout, stopped.stderr) == (0, "", "")
    assert not (folder / "cluster").exists()
    assert session_processes(str(folder / "cluster")) == []


def training(bars: Path, out: Path, *more: str) -> list[str]:
    return [
        sys.executable, "-m", "largebatch", "train", "--dataset", "idx", "--data-dir", bars.as_uri(),
        "--network", "softmax", "--batch-size", "400", "--epochs", "2", "--workers", "2", "--memory", "1g",
        "--out", str(out), *more,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def swept(lender: Lender, bars: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study, carried out by `largebatch sweep` in local mode."""
    folder = tmp_path_factory.mktemp("swept")
    (folder / "small.toml").write_text(STUDY)
    command = ("sweep", "small.toml", "--data-dir", bars, "--out", "out")
    done = lender.run(folder, *command, *lender.options)
    assert done.returncode == 0, done.stderr
    return folder / "out"


@pytest.fixture(scope="module")
def local(swept: Path) -> Path:
    """Its run with the settings of `training`."""
    return next(run.path for run in runs(swept) if run.settings()[0].optimizer == "lars")


def assert_equal(out: Path, undisturbed: Path) -> None:
    pd.testing.assert_frame_equal(
        without_times(out), without_times(undisturbed), rtol=MODES_AGREE, atol=MODES_AGREE
    )
    ours, theirs = (np.load(folder / "model.npz") for folder in (out, undisturbed))
    for name in theirs.files:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=0, atol=MODES_AGREE)


# ---- the command line ----


def assert_same_classes(logs: Path) -> None:
    """Driver and executors have their classes from jars of the same names: there is one Spark."""
    (driver,) = classes.jars_of(logs, classes.DRIVER)
    executors = classes.jars_of(logs, classes.EXECUTOR)
    assert len(executors) == 2
    for executor in executors:
        both = driver.keys() & executor.keys()
        assert len([name for name in both if name.startswith("org.apache.spark.")]) > 100
        assert {n: driver[n] for n in both} == {n: executor[n] for n in both}


HADOOP = """<configuration>
<property><name>fs.defaultFS</name><value>hdfs://127.0.0.1:9</value></property>
</configuration>"""


@pytest.mark.slow
def test_executors_in_other_jvms_equal_local_mode_whatever_hadoop_is_set_to(
    bars: Path, local: Path, tmp_path: Path
) -> None:
    (tmp_path / "core-site.xml").write_text(HADOOP)
    command = training(bars, tmp_path / "run", "--master", LOCAL_CLUSTER, "--conf", "spark.app.name=x")
    log = classes.option(tmp_path)
    done = call(*command, HADOOP_CONF_DIR=str(tmp_path), JAVA_TOOL_OPTIONS=log)
    assert done.returncode == 0, done.stderr
    assert_same_classes(tmp_path)
    assert_equal(tmp_path / "run", local)
    settings = json.loads((tmp_path / "run" / "config.json").read_text())["execution"]
    assert (settings["master"], settings["conf"]) == (LOCAL_CLUSTER, ["spark.app.name=x"])


@pytest.mark.slow
def test_a_standalone_cluster_with_a_secret_equals_local_mode(
    cluster: Cluster, bars: Path, local: Path, tmp_path: Path
) -> None:
    command = training(bars, tmp_path / "run", "--master", cluster.url, "--secure")
    done = call(*command, secret=cluster.secret)
    assert done.returncode == 0, done.stderr
    assert_equal(tmp_path / "run", local)
    for file in ("config.json", "log.txt", "versions.json"):
        assert "one/of+ours" not in (tmp_path / "run" / file).read_text()


def refused(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1, done.stderr
    return done.stderr.splitlines()[-1]


@pytest.mark.slow
def test_what_a_cluster_lacks_is_said_in_one_sentence(cluster: Cluster, bars: Path, tmp_path: Path) -> None:
    patience = limit(cluster.seconds)
    more = ("--master", cluster.url, "--secure", "--workers", "4", "--cluster-timeout", str(patience))
    done = call(*training(bars, tmp_path / "run", *more), secret=cluster.secret)
    sentence = refused(done)
    assert sentence.startswith(
        f"largebatch: 2 of the 4 slots that the workers need came within {patience} s: "
    )
    assert "2 of 4 slots are there, waiting" in done.stderr.splitlines()


@pytest.mark.slow
def test_another_secret_is_refused_in_one_sentence(cluster: Cluster, bars: Path, tmp_path: Path) -> None:
    more = ("--master", cluster.url, "--secure", "--cluster-timeout", str(limit(cluster.seconds)))
    done = call(*training(bars, tmp_path / "run", *more), secret=cluster.secret.with_name("other"))
    sentence = refused(done)
    assert (
        f"{cluster.url} did not take the application: see that it runs Spark 3.5, and that --secure"
        in sentence
    )


def test_a_master_that_does_not_answer_is_named(bars: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"spark://127.0.0.1:{server.getsockname()[1]}"
    more = ("--master", url, "--cluster-timeout", "5")
    sentence = refused(call(*training(bars, tmp_path / "run", *more)))
    assert sentence.startswith(f"largebatch: nothing answers at {url}: see that Spark's master runs there")


# ---- batch jobs ----


def submission(master: str, out: Path, bars: Path, *options: str) -> list[str]:
    """A study as a batch job; the file with the study lies beside `out`."""
    return [
        str(Path(sys.executable).with_name("spark-submit")), "--master", master, "--driver-memory", "1g",
        "--properties-file", str(dml_root() / "dml" / "spark.conf"), "--jars", str(system_ds_jar()),
        str(ROOT / "scripts" / "submit.py"), str(out.with_name("small.toml")), "--data-dir", bars.as_uri(),
        "--out", str(out), *options,
    ]  # fmt: skip


def submit(
    command: list[str], cwd: Path, secret: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    own = {"PYSPARK_PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}
    return call(*command, cwd=cwd, secret=secret, **own, **variables)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "small.toml").write_text(STUDY)
    return tmp_path / "out"


def assert_same_tables(out: Path, swept: Path) -> None:
    numbers = [pd.DataFrame(results(folder)) for folder in (out, swept)]
    pd.testing.assert_frame_equal(*numbers, rtol=MODES_AGREE, atol=MODES_AGREE)
    for ours, theirs in zip(runs(out), runs(swept), strict=True):
        assert_equal(ours.path, theirs.path)


@pytest.mark.slow
def test_a_batch_job_on_a_standalone_cluster_equals_the_command_line(
    cluster: Cluster, bars: Path, out: Path, swept: Path
) -> None:
    log = f"{classes.option(out.parent)} -Duser.language=tr"  # in which SystemDS can't read a program
    command = submission(cluster.url, out, bars, "--secure")
    done = submit(command, out.parent, cluster.secret, JAVA_TOOL_OPTIONS=log)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    (driver,) = classes.jars_of(out.parent, classes.DRIVER)
    assert set(driver.values()) <= {file.name for file in (spark_home() / "jars").iterdir()} | {
        "SystemDS.jar"
    }
    assert_same_tables(out, swept)
    assert (out / "log.txt").read_text().count("session begun") == 1


@pytest.mark.slow
def test_a_batch_job_whose_session_dies_ends_and_goes_on_when_it_is_submitted_again(
    bars: Path, out: Path, swept: Path
) -> None:
    command = submission("local[2]", out, bars)
    environment = os.environ | {"PYSPARK_PYTHON": sys.executable, "JAVA_HOME": str(find_java().home)}
    with subprocess.Popen(
        command, cwd=out.parent, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as job:
        assert job.stdout is not None
        said = ""
        for line in job.stdout:
            said += line
            if "epoch 1/2" in line and "[1/2]" in line:
                (session,) = (p for p in session_processes("largebatch.engine.child") if descends(p, job.pid))
                os.kill(session, signal.SIGKILL)
    assert job.returncode == 1, said
    assert "submitting the same job again goes on with the others." in said
    assert RunFolder(runs(out)[0].path).last_epoch() >= 1
    again = submit(command, out.parent)
    assert again.returncode == 0, again.stdout
    assert_same_tables(out, swept)


def test_a_batch_job_without_its_settings_says_what_to_add(bars: Path, out: Path) -> None:
    command = submission("local[2]", out, bars)
    for option in ("--properties-file", "--jars"):
        place = command.index(option)
        del command[place : place + 2]
    done = submit(command, out.parent)
    assert done.returncode == 1
    assert (
        "spark-submit has started its JVM without SystemDS.jar, --add-modules=jdk.incubator.vector, "
        in done.stdout
    )
    assert f"call it with --properties-file {dml_root() / 'dml' / 'spark.conf'} --jars " in done.stdout
