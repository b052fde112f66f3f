"""A small study that tunes, with real sessions: undisturbed, killed, and with a poisoned test part."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

from largebatch.data.idx import read_idx
from largebatch.records.reading import read_study
from largebatch.records.result import Status
from tests.support.command import start, wait_for
from tests.support.lent import Lender
from tests.support.outcomes import assert_equal_runs
from tests.support.patience import TIMEOUT_S
from tests.support.processes import session_processes, wait_until
from tests.support.samples import write_idx

pytestmark = [pytest.mark.systemds, pytest.mark.spark, pytest.mark.slow]

STUDY = """
name = "small"
[fixed]
dataset = "idx"
network = "softmax"
epochs = 2
schedule = "polynomial"
[execution]
mode = "local"
memory = "512m"
[tune]
trials = 2
validation_rows = 402
promote_after = [0.5]
promote_share = 0.5
seeds = 1
[[grid]]
optimizer = "lars"
batch_size = 400
"""


def arguments(data: Path, out: str) -> list[str]:
    return ["tune", "small.toml", "--data-dir", str(data), "--out", out]


def test_a_study_that_tunes_ends_with_its_answer_and_after_a_kill_or_with_poisoned_labels_with_the_same(
    lender: Lender, bars: Path, tmp_path: Path
) -> None:
    (tmp_path / "small.toml").write_text(STUDY)
    whole = lender.run(tmp_path, *arguments(bars, "whole"))
    assert whole.returncode == 0, whole.stderr
    assert "The best by equal epochs: LARS at batch size 400" in whole.stdout
    study = read_study(tmp_path / "whole")
    assert sorted(run.status for run in study.runs) == [Status.FINISHED, Status.PAUSED]
    assert not any(name.startswith("test_") for run in study.runs for name in run.metrics)
    assert [len(run.metrics) for run in study.finals] == [2]
    assert {"validation_accuracy", "test_accuracy"} & set(study.finals[0].metrics) == {"test_accuracy"}

    process = start(arguments(bars, "killed"), tmp_path)
    wait_for(process, "trial 2/2  epoch 1/2")
    process.kill()
    process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == -signal.SIGKILL
    wait_until(lambda: not session_processes(str(tmp_path / "largebatch-")))
    resumed = lender.run(tmp_path, *arguments(bars, "killed"))
    assert resumed.returncode == 0, resumed.stderr
    again = read_study(tmp_path / "killed")
    assert [run.name for run in (*again.runs, *again.finals)] == [
        run.name for run in (*study.runs, *study.finals)
    ]
    for run in (*study.runs, *study.finals):
        assert_equal_runs(tmp_path / "killed" / run.folder, tmp_path / "whole" / run.folder)

    poisoned = shutil.copytree(bars, tmp_path / "poisoned data")
    count = len(read_idx(bars / "t10k-labels-idx1-ubyte"))
    write_idx(poisoned / "t10k-labels-idx1-ubyte", np.arange(count, dtype=np.uint8) % 3)
    misled = lender.run(tmp_path, *arguments(poisoned, "poisoned"))
    assert misled.returncode == 0, misled.stderr
    other = read_study(tmp_path / "poisoned")
    for mine, true in zip(other.runs, study.runs, strict=True):
        assert_equal_runs(tmp_path / "poisoned" / mine.folder, tmp_path / "whole" / true.folder)
    assert [run.training for run in other.finals] == [run.training for run in study.finals]
    accuracies = [float(of.finals[0].metrics["test_accuracy"].iloc[-1]) for of in (other, study)]
    assert accuracies[0] < 0.5 < accuracies[1], "the test part is looked at by final runs"
