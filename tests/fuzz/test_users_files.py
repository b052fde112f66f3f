"""Files of a user's own as data sets: .npz, Parquet, CIFAR's records, folders of pictures."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from PIL import Image

from largebatch import data
from largebatch.data.dataset import Reading
from tests.support.fuzzing import examples, mutated, reads

X = np.arange(6 * 3 * 4 * 4, dtype=np.uint8).reshape(6, 3, 4, 4)
Y = np.array([0, 1, 2, 0, 1, 2])


def _npz(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def _parquet(features: object, label: object = Y) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table({"image": features, "label": label}), file)
    return file.getvalue()


def _picture(kind: str, number: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(X[number].transpose(1, 2, 0)).save(file, kind)
    return file.getvalue()


NPZ = (
    _npz(x_train=X, y_train=Y, x_test=X, y_test=Y),
    _npz(train_images=X[:, 0], train_labels=Y[:, None], val_images=X[:, 0], val_labels=Y),
)
PARQUET = (
    _parquet([{"bytes": _picture("PNG", i), "path": None} for i in range(6)]),
    _parquet([_picture("JPEG", i) for i in range(6)], ["a", "b", "c"] * 2),
    _parquet(X.reshape(6, -1).tolist()),
    _parquet(X[:, 0].astype(float).tolist()),
)
CIFAR = (b"".join(bytes([0, label]) + bytes(3072) for label in Y),)


@examples(60, 0.05)
@given(mutated(NPZ))
def test_npz(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "set.npz").write_bytes(content)
    reads(".npz", lambda: data.load(str(tmp_path / "set.npz")).fingerprint)


@examples(60, 0.05)
@given(mutated(PARQUET))
def test_parquet(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "set.parquet").write_bytes(content)
    reads("Parquet", lambda: data.load(str(tmp_path / "set.parquet")).fingerprint)


@examples(30, 0.02)
@given(mutated(CIFAR))
def test_cifar(tmp_path: Path, content: bytes) -> None:
    for name in ("train.bin", "test.bin"):
        (tmp_path / name).write_bytes(content)
    reads("CIFAR", lambda: data.load(f"{tmp_path}/").fingerprint)


@examples(60, 0.05)
@given(mutated(tuple(_picture(kind, i) for kind in ("PNG", "JPEG") for i in range(2))))
def test_folders_of_pictures(tmp_path: Path, content: bytes) -> None:
    for name in "ab":
        (tmp_path / "set" / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name / "0.png").write_bytes(_picture("PNG", 0))
    (tmp_path / "set" / "b" / "1.jpg").write_bytes(content)
    reading = Reading(resize=(4, 4))
    reads("pictures", lambda: data.load(str(tmp_path / "set"), reading=reading).fingerprint)
