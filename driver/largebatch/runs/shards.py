"""The rows of a data set as workers hold them: a file of images and a file of labels, with a shard for each.

dml/placements/executors.dml says what is in them. Parts are numbered in the order of PARTS, from 1. The files
depend on the seed, on the number of workers, and on how often rows have moved between these. So each job
writes its own, and removes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from largebatch.data.dataset import Dataset, PreparedData
from largebatch.data.stored import Array
from largebatch.files.blocks import SIDE, write_blocks
from largebatch.files.matrices import Matrix
from largebatch.files.passing import room, told_of_cache
from largebatch.records.metrics import PARTS
from largebatch.runs.memory import all_packable
from largebatch.settings.training import Training

MOST_IMAGES = 8  # in a row, as in dml/transport/folding.dml
MOST_COLUMNS = 8000  # of a row of several images: paramserv puts rows together from blocks of 1000 columns

Ints = npt.NDArray[np.int64]


@contextmanager
def written(
    dataset: Dataset, training: Training, number: int = 0, home: Path | None = None
) -> Iterator[PreparedData]:
    """The two files of a deal, by its number, in a folder in `home`, by default in the user's cache.

    The folder is removed afterwards. Raises RunError if the files can't be written.
    """
    with room(home) as folder:
        data = PreparedData(folder, dataset.images, tuple(dataset.parts), in_shards=True)
        with told_of_cache(folder.parent):
            _write(dataset, deal(dataset, training.workers, training.seed, number), data)
        yield data


def deal(dataset: Dataset, workers: int, seed: int, number: int = 0) -> list[Ints]:
    """Rows for each worker, of shape (n, 2): number of the part, row in the part.

    Training rows come first, in an order drawn by the seed and the deal's number: equally many, but for one
    that may be left over. The other parts follow in order.
    """
    order = permutation(len(dataset.train), seed, number)
    shares = {name: np.array_split(np.arange(len(part)), workers) for name, part in dataset.parts.items()}
    shares["train"] = [order[worker::workers] for worker in range(workers)]
    return [
        np.concatenate([
            np.column_stack([np.full(len(shares[name][worker]), number), shares[name][worker]])
            for number, name in _numbered(dataset)
        ])
        for worker in range(workers)
    ]  # fmt: skip


def permutation(rows: int, *seeds: int) -> Ints:
    """An order of rows, the same with all versions of NumPy, unlike those that it draws itself."""
    return np.argsort(np.random.PCG64(seeds).random_raw(rows), kind="stable")


def images_in_a_row(most: int, numbers: int) -> int:
    """How many images of so many numbers stand in a row, if no worker has more than `most` of them.

    Each worker has two rows at least: a local paramserv loses a single one.
    """
    return max(1, min(MOST_IMAGES, MOST_COLUMNS // numbers, most // 2))


def _numbered(dataset: Dataset) -> list[tuple[int, str]]:
    return [(number, name) for number, name in enumerate(PARTS, start=1) if name in dataset.parts]


def _write(dataset: Dataset, dealt: Sequence[Ints], data: PreparedData) -> None:
    packs = all_packable(dataset)
    numbers = dataset.images.pixels // (4 if packs else 1)
    most = max(map(len, dealt))
    images = images_in_a_row(most, numbers)
    length = -(-most // images) * images
    rows = np.concatenate([np.pad(own, ((0, length - len(own)), (0, 0))) for own in dealt])
    sums: list[Matrix] = []
    shape = len(rows) // images, numbers * images
    write_blocks(data.matrix("train_images"), shape, _pieces(dataset, rows, images, packs, sums))
    labels = np.column_stack([
        np.column_stack([_classes(dataset, rows), rows[:, 0]]).reshape(shape[0], -1),
        np.repeat(np.arange(1, len(dealt) + 1), shape[0] // len(dealt)),
        np.concatenate(sums),
    ])  # fmt: skip
    pieces = (labels[first : first + SIDE] for first in range(0, len(labels), SIDE))
    write_blocks(data.matrix("train_labels"), labels.shape, pieces)


def _pieces(dataset: Dataset, rows: Ints, images: int, packs: bool, sums: list[Matrix]) -> Iterator[Matrix]:
    """The file of images, SIDE rows at a time; their sums go to `sums` (see dml/transport/arrival.dml)."""
    step = SIDE * images
    for first in range(0, len(rows), step):
        X = _gather(dataset, rows[first : first + step])
        if packs:  # four bytes as a number, the first one the lowest
            X = np.ascontiguousarray(X, np.uint8).view("<u4")
        piece = X.astype(np.float64).reshape(-1, images * X.shape[1])
        sums.append(piece @ np.arange(1.0, piece.shape[1] + 1))
        yield piece


def _gather(dataset: Dataset, rows: Ints) -> Array:
    """The images of some rows, of shape (n, numbers); zeros for those of no part."""
    X = np.zeros((len(rows), dataset.images.pixels), dataset.train.X.dtype)
    for number, name in _numbered(dataset):
        which = rows[:, 0] == number
        X[which] = dataset.parts[name].X[rows[which, 1]].reshape(-1, X.shape[1])
    return X


def _classes(dataset: Dataset, rows: Ints) -> Ints:
    """Their classes, counted from 1."""
    y = np.zeros(len(rows), np.int64)
    for number, name in _numbered(dataset):
        which = rows[:, 0] == number
        y[which] = dataset.parts[name].y[rows[which, 1]] + 1
    return y
