"""Whole trainings through dml/train.dml on small synthetic data, and the same training in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from largebatch.files.matrices import read_matrix
from largebatch.records.metrics import EPOCH_COLUMNS
from tests.reference import Floats, Image, Ints, optimizers, schedules
from tests.reference.loss import softmax_cross_entropy
from tests.reference.networks import TWINS
from tests.support.harness import DML, Matrix, write_matrix

IMAGE: Image = (1, 8, 8)
CLASSES = 4
TRAIN, TEST = 240, 61  # four workers: equally many training rows, not equally many test rows
SECONDS = [EPOCH_COLUMNS.index("seconds"), EPOCH_COLUMNS.index("evaluation_seconds")]

NOISE_COLUMNS = 6  # at the end

# 240 rows in batches of 64: four updates an epoch, the last of 48 rows.
SETTINGS: dict[str, Any] = {
    "network": "lenet",
    "padding": 2,
    "channels": IMAGE[0],
    "height": IMAGE[1],
    "width": IMAGE[2],
    "classes": CLASSES,
    "optimizer": "lars",
    "learning_rate": 2.0,
    "momentum": 0.9,
    "weight_decay": 0.001,
    "trust_coefficient": 0.01,
    "beta1": 0.8,
    "beta2": 0.9,
    "epsilon": 1e-3,
    "schedule": "inverse_time",
    "decay": 0.1,
    "batch_size": 64,
    "workers": 4,
    "epochs": 2,
    "seed": 5,
}


@dataclass(frozen=True)
class Data:
    """Images of 0..255 (N, C*H*W) and classes from 1 (N,)."""

    X_train: Floats
    y_train: Ints
    X_test: Floats
    y_test: Ints

    def rearranged(self, rows: Ints) -> Data:
        """The same with these training rows, in this order."""
        return Data(self.X_train[rows], self.y_train[rows], self.X_test, self.y_test)

    def write(self, folder: Path) -> dict[str, str]:
        """Files in the folder, by the names of train.dml's arguments."""
        matrices = {
            "train_images": self.X_train, "train_labels": self.y_train[:, None],
            "test_images": self.X_test, "test_labels": self.y_test[:, None],
        }  # fmt: skip
        for name, matrix in matrices.items():
            write_matrix(folder / name, matrix)
        return {name: str(folder / name) for name in matrices}


def synthetic(train: int = TRAIN, test: int = TEST) -> Data:
    """Noise, and on it a brighter row for each class."""
    rng = np.random.default_rng(8)
    y = rng.integers(1, CLASSES + 1, train + test)
    X = rng.integers(0, 128, (train + test, *IMAGE[1:]))
    X[np.arange(len(y)), 2 * y - 1] += 100
    pixels = X.reshape(len(y), -1).astype(np.float64)
    return Data(pixels[:train], y[:train], pixels[train:], y[train:])


@dataclass(frozen=True)
class Trained:
    """What a training left behind."""

    folder: Path
    lines: list[str]

    @property
    def epochs(self) -> int:
        """The last epoch."""
        return max(int(path.name) for path in self.folder.glob("checkpoints/*"))

    def checkpoint(self, epoch: int) -> Path:
        return self.folder / "checkpoints" / str(epoch)

    def parameters(self, epoch: int | None = None) -> Matrix:
        """Weights and state (P, 1+s), after the last epoch if none is named."""
        return read_matrix(self.checkpoint(epoch or self.epochs) / "parameters")

    def recorded(self, epoch: int | None = None) -> Matrix:
        """The metrics of all epochs up to one: the last if none is named."""
        return read_matrix(self.checkpoint(epoch or self.epochs) / "metrics")

    def metrics(self, epoch: int | None = None) -> Matrix:
        """The same without the columns of seconds."""
        return np.delete(self.recorded(epoch), SECONDS, axis=1)

    def column(self, name: str) -> list[float]:
        """A column of the metrics, by its name in metrics.csv."""
        return [float(value) for value in self.recorded()[:, EPOCH_COLUMNS.index(name)]]


class Trainer:
    """Trains in the session's JVM. Equal settings train once, and again only if told so."""

    def __init__(self, dml: DML, root: Path) -> None:
        self._dml = dml
        self._root = root
        self._known: dict[str, Trained] = {}
        self._count = 0

    def __call__(self, data: Data | None = None, *, again: bool = False, **settings: Any) -> Trained:
        """Train by SETTINGS and what differs from them, on `data` or else the synthetic ones."""
        key = repr(sorted(settings.items()))
        if data is not None or again or key not in self._known:
            trained = self._train(data or synthetic(), settings)
            if data is not None:
                return trained
            self._known[key] = trained
        return self._known[key]

    def _train(self, data: Data, settings: dict[str, Any]) -> Trained:
        self._count += 1
        folder = self._root / str(self._count)
        folder.mkdir()
        out = folder / "out"
        lines = self._dml.train(**(SETTINGS | data.write(folder) | settings), out=str(out))
        return Trained(out, lines)

    def start(self, settings: dict[str, Any], rows: int) -> tuple[Floats, Ints]:
        """Start values (P,), and each epoch's permutation of the training rows, from 0: (rows, epochs)."""
        names = ("network", "channels", "height", "width", "classes", "padding", "seed", "epochs")
        own = {n: settings[n] for n in (*names, "filters", "last_scale") if n in settings}
        found = self._dml.call("start.dml", {}, ("w", "orders"), rows=rows, **own)
        return found["w"][:, 0], found["orders"].astype(np.int64) - 1


def batches(order: Ints, workers: int, batch_size: int) -> list[Ints]:
    """Rows of each global batch of an epoch.

    The permuted rows, less what is no multiple of the workers, are cut into a part for each worker; each
    update takes the next batch_size/workers rows of every part.
    """
    parts = np.split(order[: len(order) - len(order) % workers], workers)
    share = batch_size // workers
    return [np.concatenate([part[i : i + share] for part in parts]) for i in range(0, len(parts[0]), share)]


def dealt_out_to(workers: int, data: Data, order: Ints) -> Data:
    """The data in an order that gives `workers` workers the global batches that four have of `data`."""
    batch_size = SETTINGS["batch_size"]
    rows = np.empty_like(order)
    rows[np.concatenate(batches(order, workers, batch_size))] = np.concatenate(batches(order, 4, batch_size))
    return data.rearranged(rows)


def train_in_numpy(
    settings: dict[str, Any], data: Data, w: Floats, orders: Ints, evaluated: Ints | slice = slice(None)
) -> tuple[Matrix, Matrix]:
    """Parameters (P, 1+s) and metrics, without the columns of seconds, after the last epoch; by the twins.

    `evaluated` are the training rows that are evaluated, by default all.
    """
    twin, name = TWINS[settings["network"]], settings["optimizer"]
    C, H, W, K = (settings[n] for n in ("channels", "height", "width", "classes"))
    geometry = ((C, H, W), K, settings["padding"])
    scale = settings.get("pixel_scale", 255)
    groups = optimizers.groups(twin.shapes(*geometry), "layer", adapt_biases=True)
    rates = {**settings, "rate": settings["learning_rate"], "warmup": 0}
    state = optimizers.initial_state(name, len(w))
    k = settings["workers"]
    past = np.zeros((k, len(w)))  # each worker's mean gradient of the update before
    point = getattr(optimizers.TWINS[name], "point", at_the_weights)
    metrics: list[list[float]] = []
    t = examples = 0
    for epoch, order in enumerate(orders.T, start=1):
        noise = np.zeros(6)
        for rows in batches(order, k, settings["batch_size"]):
            before, rate = w, schedules.rate(rates, t)
            t, examples = t + 1, examples + len(rows)
            shares = np.split(rows, k)
            for worker, share in enumerate(shares):
                x = point(w, state, past[worker], t, rate, k, settings)
                X = data.X_train[share] / scale
                past[worker] = twin.gradient(x, X, data.y_train[share], *geometry)[0] / len(share)
            g = past.mean(axis=0)
            noise += noise_of(past, g, len(rows), min(settings["batch_size"], len(order)))
            w, state, ratio = optimizers.TWINS[name].step(w, g, state, t, rate, groups, settings)
        figures = [
            *evaluate(twin.forward(w, data.X_train[evaluated] / scale, *geometry), data.y_train[evaluated]),
            *evaluate(twin.forward(w, data.X_test / scale, *geometry), data.y_test),
        ]
        norms = np.column_stack([norms_of(before, groups), norms_of(g, groups), ratio])
        metrics.append([epoch, t, examples, rate, *figures, *norms.ravel(), *noise])
    return np.column_stack([w, state]), np.array(metrics)


def noise_of(of_workers: Floats, g: Floats, B: int, batch_size: int) -> Floats:
    """What B rows add to the sums of dml/noise_scale.dml, from the workers' mean gradients (k, P)."""
    if batch_size > 2 * B:
        return np.zeros(6)
    b = B / len(of_workers)
    small, large = (of_workers**2).sum(axis=1).mean(), g @ g
    G2 = (B * large - b * small) / (B - b)
    S = (small - large) / (1 / b - 1 / B)
    return np.array([1, G2, S, G2**2, S**2, G2 * S])


def at_the_weights(w: Floats, *_: object) -> Floats:
    """Where optimizers take gradients that don't look ahead."""
    return w


def evaluate(scores: Floats, y: Ints) -> tuple[float, float]:
    """Mean loss and accuracy."""
    loss, correct, _ = softmax_cross_entropy(scores, y)
    return loss / len(y), correct / len(y)


def norms_of(a: Floats, groups: Sequence[Sequence[int]] | Ints) -> list[float]:
    """Norm of each group of a (P,)."""
    return [float(np.linalg.norm(a[begin - 1 : end])) for begin, end, *_ in groups]
