"""What largebatch is compared with, each in a process of its own: PyTorch, and SystemDS' own layers."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from largebatch.bench.timing import Plan, Timed
from largebatch.config import Execution
from largebatch.data import Dataset
from largebatch.errors import RunError, UserError
from largebatch.launch import Session
from largebatch.prepare import prepare

Peer = Callable[[Dataset, Plan, Execution], list[Timed]]
TORCH_BATCH_SIZE = 256
UPSTREAM_BATCH_SIZE = 2048
WORKERS = 4


def torch(dataset: Dataset, plan: Plan, execution: Execution) -> list[Timed]:
    """PyTorch in double and in single precision, on as many threads as there are cores."""
    del execution
    if importlib.util.find_spec("torch") is None:
        raise UserError("--peers torch needs the package torch: pip install 'largebatch[bench]'")
    with tempfile.TemporaryDirectory(prefix="largebatch-bench-") as temporary:
        data = Path(temporary) / "data.npz"
        np.savez(data, images=dataset.train_images, labels=dataset.train_labels)
        return [_torch(dtype, data, dataset, plan) for dtype in ("float64", "float32")]


def _torch(dtype: str, data: Path, dataset: Dataset, plan: Plan) -> Timed:
    words = {
        "data": data, "dtype": dtype, "batch-size": TORCH_BATCH_SIZE, "epochs": plan.total,
        "threads": os.cpu_count() or 1,
    }  # fmt: skip
    command = [sys.executable, "-m", "largebatch.bench.torch_peer"]
    for name, value in words.items():
        command += [f"--{name}", str(value)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise RunError(f"PyTorch failed: {(run.stderr.strip() or 'no message').splitlines()[-1]}")
    seconds = plan.warm(json.loads(run.stdout))
    return Timed(f"PyTorch, {dtype}", TORCH_BATCH_SIZE, len(dataset.train_images), seconds)


def upstream(dataset: Dataset, plan: Plan, execution: Execution) -> list[Timed]:
    """LeNet from the layers that ship with SystemDS, as its examples use them, through paramserv."""
    seconds: list[float] = []
    with (
        tempfile.TemporaryDirectory(prefix="largebatch-bench-") as temporary,
        Session(execution, WORKERS, Path(temporary) / "log.txt") as session,
    ):
        data = prepare(dataset, session)
        session.run(
            "bench/upstream.dml",
            {
                "train_images": str(data.matrix("train_images")),
                "train_labels": str(data.matrix("train_labels")),
                "height": dataset.height,
                "width": dataset.width,
                "classes": dataset.classes,
                "batch_size": UPSTREAM_BATCH_SIZE,
                "workers": WORKERS,
                "epochs": plan.total,
                "mode": "REMOTE_SPARK" if execution.mode == "spark" else "LOCAL",
            },
            single_node=execution.mode == "local",
            on_line=lambda line: seconds.append(float(line.removeprefix("epoch "))),
        )
    name = f"SystemDS' own layers, {execution.mode}"
    return [Timed(name, UPSTREAM_BATCH_SIZE, len(dataset.train_images), plan.warm(seconds))]


PEERS: dict[str, Peer] = {"torch": torch, "upstream": upstream}
