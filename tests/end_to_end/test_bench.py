"""The benchmark for real, on a few images."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from largebatch.bench.formulations import compare
from tests.support.command import Run
from tests.support.lent import Lender
from tests.support.patience import TIMEOUT_S

pytestmark = pytest.mark.systemds
ROOT = Path(__file__).parents[2]


def test_epochs_are_timed_beside_the_layers_of_systemds(lender: Lender, tmp_path: Path) -> None:
    ended = lender.run(
        tmp_path, "bench", "--dataset", "digits", "--rows", "80", "--modes", "local", "--batch-sizes", "16",
        "--epochs", "1", "--warm-up", "1", "--peers", "upstream", "--pad-to", "32",
        "--memory", lender.execution.memory, "--json",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    timed = json.loads(ended.stdout)
    assert [(one["name"], one["batch_size"]) for one in timed] == [
        ("largebatch, local", 16), ("SystemDS' own layers, local", 2048),
    ]  # fmt: skip
    assert all(min(one["seconds"] + one["openings"]) > 0 and len(one["openings"]) == 1 for one in timed)
    assert [one["first"] is None for one in timed] == [False, True]
    assert all(one["peak_bytes"] > 2**27 for one in timed[:1])


@pytest.mark.slow
@pytest.mark.skipif(find_spec("torch") is None, reason="needs PyTorch")
def test_a_residual_network_is_timed_beside_that_of_pytorch(largebatch: Run) -> None:
    ended = largebatch(
        "bench", "--dataset", "digits", "--rows", "64", "--modes", "local", "--batch-sizes", "32",
        "--pad-to", "32", "--network", "resnet8", "--epochs", "1", "--warm-up", "0",
        "--peers", "torch", "--memory", "1g", "--markdown",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    times = [row.split("|")[1].strip() for row in ended.stdout.splitlines() if row.count("|") == 9]
    of_peers = ["PyTorch, float64", "PyTorch, float32"]
    assert times == ["what", "---", "largebatch, local, resnet8", *of_peers]


def test_all_formulations_give_the_same(lender: Lender) -> None:
    with lender.lending():
        found = compare(lender.execution, images=32, repetitions=1)
    assert len(found) == 11
    assert max(one.difference for one in found) < 1e-9


def test_the_parts_of_an_epoch_are_told(largebatch: Run) -> None:
    ended = largebatch(
        "bench", "--dataset", "digits", "--rows", "400", "--modes", "local", "--batch-sizes", "80",
        "--epochs", "2", "--warm-up", "0", "--memory", "1g", "--breakdown",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    title, _, _, *rows, _ = ended.stdout.splitlines()
    assert title == "largebatch, local, batch size 80"
    seconds = {row.rsplit(maxsplit=2)[0]: float(row.split()[-2]) for row in rows}
    for part in ("training", "evaluation", "convolution, forward", "convolution, backward", "JIT compilers"):
        assert seconds[part] > 0, part


@pytest.mark.slow
def test_checkouts_and_settings_are_compared() -> None:
    one, other = f"{ROOT}|local", f"{ROOT}|local|spark.driver.extraJavaOptions=-XX:MaxHeapFreeRatio=100"
    ended = subprocess.run(
        [
            sys.executable, ROOT / "scripts" / "compare_epochs.py", one, other, "--dataset", "digits",
            "--rows", "64", "--batch-size", "16", "--epochs", "1", "--rounds", "1", "--warm-up", "0",
            "--heap", "1g",
        ],
        capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    of_runs, summary = ended.stdout.splitlines()[:2], ended.stdout.splitlines()[2:]
    assert [line.partition(": Run(")[0] for line in of_runs] == [f"round 1, {one}", f"round 1, {other}"]
    assert summary[0].startswith(f"{one}: epoch ")
    assert summary[0].count("ratio 1.00") == 2
    assert summary[1].startswith(f"{other}: epoch ")


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.skipif(shutil.which("ss") is None, reason="needs ss (iproute2)")
def test_a_worker_pulls_model_and_momentum_and_pushes_a_gradient(largebatch: Run) -> None:
    """Of LeNet's 107786 parameters, 8 bytes each, less where most of a gradient's elements are zero."""
    ended = largebatch(
        "bench", "--dataset", "digits", "--rows", "320", "--batch-sizes", "16", "--workers", "1,2",
        "--epochs", "1", "--warm-up", "0", "--memory", "1g", "--scaling", "--markdown",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    pulled, pushed = re.search(r"pulls ([\d.]+) MB and pushes ([\d.]+) MB", ended.stdout).groups()
    assert 1.6 < float(pulled) < 2.1
    assert 0.4 < float(pushed) < 1.5
    measured = ended.stdout.split("\n\n")[1].splitlines()[2:]
    assert [row.split()[1] for row in measured] == ["1", "2"]
