"""The peers of the comparison: PyTorch, and SystemDS' own layers."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from largebatch.bench import torch_networks
from largebatch.bench.timing import Contestant, Epoch, Sitting
from largebatch.data import Dataset
from largebatch.engine.machine import peak_resident
from largebatch.errors import RunError, UserError
from largebatch.runs.prepare import prepare

WORKERS = 4


@dataclass(frozen=True)
class Peer:
    """Makes contestants for a sitting, a data set, one of its `networks`, and a mode of our own."""

    contestants: Callable[[Sitting, Dataset, str, str], list[Contestant]]
    networks: Sequence[str]


class Torch:
    """A network in PyTorch, in one precision, in its own process, with a thread per core."""

    batch_size = 256
    opens = False  # no JIT compilers

    def __init__(self, sitting: Sitting, dataset: Dataset, network: str, dtype: str) -> None:
        self.name = f"PyTorch, {dtype}"
        self.images = len(dataset.train)
        data = sitting.folder / f"{dtype}.npz"
        np.savez(data, images=np.asarray(dataset.train.X), labels=dataset.train.y)
        words = {
            "data": data, "network": network, "dtype": dtype, "batch-size": self.batch_size,
            "threads": os.cpu_count() or 1, "classes": dataset.classes,
        }  # fmt: skip
        command = [sys.executable, "-m", "largebatch.bench.torch_peer"]
        for name, value in words.items():
            command += [f"--{name}", str(value)]
        self._complaints = data.with_suffix(".txt")
        with self._complaints.open("w") as complaints:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                text=True,
                start_new_session=True,  # a process group, as sessions have
            )
        self._process = sitting.stack.enter_context(process)
        sitting.stack.callback(process.kill)

    def epoch(self) -> Epoch:
        """The next epoch. Raises RunError if the process has failed."""
        assert self._process.stdin is not None and self._process.stdout is not None  # noqa: S101
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write("epoch\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            complaint = (self._complaints.read_text().strip() or "no message").splitlines()[-1]
            raise RunError(f"PyTorch failed: {complaint}")
        return Epoch(float(line))

    def peak_bytes(self) -> int | None:
        """Peak of its process."""
        return peak_resident(self._process.pid)


def torch(sitting: Sitting, dataset: Dataset, network: str, mode: str) -> list[Contestant]:
    """PyTorch in double and in single precision. Raises UserError where it is not installed."""
    del mode
    if importlib.util.find_spec("torch") is None:
        raise UserError("--peers torch needs the package torch: pip install 'largebatch[bench]'")
    return [Torch(sitting, dataset, network, dtype) for dtype in ("float64", "float32")]


class Upstream:
    """LeNet from the layers that ship with SystemDS, as its examples use them, through paramserv."""

    batch_size = 2048

    def __init__(self, sitting: Sitting, dataset: Dataset, mode: str) -> None:
        self.name = f"SystemDS' own layers, {mode}"
        self.images = len(dataset.train)
        self.opens = not sitting.has_session(mode, WORKERS)
        self._mode = mode
        self._session = sitting.session(mode, WORKERS)
        self._data = prepare(dataset, self._session)

    def epoch(self) -> Epoch:
        """The second epoch of a run. Raises RunError if the run fails."""
        seconds: list[float] = []
        self._session.run(
            "bench/upstream.dml",
            {
                "train_images": str(self._data.matrix("train_images")),
                "train_labels": str(self._data.matrix("train_labels")),
                "height": self._data.images.height,
                "width": self._data.images.width,
                "classes": self._data.images.classes,
                "batch_size": self.batch_size,
                "workers": WORKERS,
                "epochs": 2,
                "mode": "REMOTE_SPARK" if self._mode == "spark" else "LOCAL",
            },
            on_line=lambda line: seconds.append(float(line.removeprefix("epoch "))),
        )
        opening, epoch = seconds
        return Epoch(epoch, opening=opening)

    def peak_bytes(self) -> int | None:
        """Peak of the session, over everything that ran in it."""
        return peak_resident(self._session.process_group)


def upstream(sitting: Sitting, dataset: Dataset, network: str, mode: str) -> list[Contestant]:
    """SystemDS' own layers."""
    del network
    return [Upstream(sitting, dataset, mode)]


PEERS = {
    "torch": Peer(torch, tuple(torch_networks.NETWORKS)),
    "upstream": Peer(upstream, ("lenet",)),
}
