"""Going on with runs: of jobs that ended early, and of the version before. All in one session."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from largebatch import data
from largebatch.data import Dataset
from largebatch.engine.session import Session
from largebatch.records.result import Status
from largebatch.records.run_folder import RunFolder
from largebatch.runs.job import Job
from largebatch.settings.execution import Execution
from largebatch.settings.training import Training
from tests.support.lent import Lender
from tests.support.old_runs import assert_as_the_old_version_ends, old, write_old_data
from tests.support.outcomes import assert_equal_runs, runs, statuses

pytestmark = pytest.mark.systemds

# As the recorded folders were trained: sums in one order on every machine of this kind.
EXECUTION = Execution(
    mode="local", memory="1g", native_blas=False, conf=("spark.driver.extraJavaOptions=-XX:UseAVX=2",)
)
recorded_here = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="the recorded numbers are those of x86-64"
)


@pytest.fixture(scope="module")
def idx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_old_data(tmp_path_factory.mktemp("data") / "idx")


@pytest.fixture(scope="module")
def dataset(idx: Path) -> Dataset:
    return data.load("idx", idx)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with Session(EXECUTION, 4, tmp_path_factory.mktemp("session") / "log.txt") as session:
        yield session


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": "lars"},
        pytest.param({"data_placement": "executors", "reshuffle_every": 2}, marks=pytest.mark.slow),
    ],
)
def test_jobs_in_turn_give_what_one_job_gives(
    session: Session, dataset: Dataset, tmp_path: Path, settings: dict[str, Any]
) -> None:
    """With a schedule that depends on the number of epochs, which is that of the run, not of a job.

    Rows that workers hold move between them as if there had been one job.
    """
    training = Training(
        dataset="idx", network="softmax", batch_size=200, epochs=4, schedule="polynomial",
        warmup_epochs=1.5, **settings,
    )  # fmt: skip

    def folder(name: str) -> RunFolder:
        return RunFolder.create(tmp_path / name, training, EXECUTION, dataset)

    whole, parts = folder("whole"), folder("parts")
    assert Job(training, EXECUTION, dataset, whole).carry_out(session).status == Status.FINISHED
    reached = []
    for until in (1, 3, None):
        result = Job(training, EXECUTION, dataset, parts, until=until).carry_out(session)
        reached.append((result.status, result.epochs))
    assert reached == [("paused", 1), ("paused", 3), ("finished", 4)]
    assert_equal_runs(parts.path, whole.path)


@recorded_here
@pytest.mark.parametrize("name", ["lenet", "softmax"])
def test_a_run_of_the_version_before_goes_on_to_the_last_bit(
    session: Session, dataset: Dataset, tmp_path: Path, name: str
) -> None:
    folder = RunFolder(old(f"runs/{name}", tmp_path / name))
    training, execution = folder.settings()
    folder.check_data(dataset)
    assert execution == EXECUTION
    assert Job(training, execution, dataset, folder).carry_out(session).status == Status.FINISHED
    assert_as_the_old_version_ends(folder.path, name)


@recorded_here
def test_a_sweep_of_the_version_before_goes_on(session: Session, idx: Path, tmp_path: Path) -> None:
    old("studies/small", tmp_path / "small")
    (tmp_path / "small.toml").write_text(
        'name = "small"\n[fixed]\ndataset = "idx"\nnetwork = "softmax"\nbatch_size = 128\nepochs = 3\n'
        '[[grid]]\noptimizer = ["sgd_momentum", "lars"]\n'
    )
    first, second = runs(tmp_path / "small")
    finished = {file: file.read_bytes() for file in (first.result_file, first.metrics_file)}
    swept = Lender(session, EXECUTION).run(
        tmp_path, "sweep", "small.toml", "--data-dir", idx, "--out", "small", "--mode", "local",
        "--memory", "1g", "--no-native-blas", "--conf", *EXECUTION.conf,
    )  # fmt: skip
    assert swept.returncode == 0, swept.stderr
    assert statuses(tmp_path / "small") == ["finished", "finished"]
    assert {file: file.read_bytes() for file in finished} == finished, "what was finished is left alone"
    assert "[2/2] lars 128  epoch 2/3" in swept.stderr and "epoch 1/3" not in swept.stderr
    assert_as_the_old_version_ends(second.path, "small-lars")
