"""Data sets named by a path: every format gives the same rows, and bad input is told in a sentence."""

from __future__ import annotations

import io
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from largebatch.data import Dataset, Reading, load
from largebatch.data.idx import write_idx
from largebatch.data.stored import StoredRows
from largebatch.errors import RunError, UserError
from tests.support.settings import assert_one_sentence

RNG = np.random.default_rng(5)
X = RNG.integers(0, 256, (9, 3, 6, 5)).astype(np.uint8)  # channels first
Y = np.repeat([0, 1, 2], 3)
TRAIN, TEST = slice(None, None, 1), slice(0, None, 2)
GREY = X[:, :1]


def picture(pixels: np.ndarray, kind: str = "PNG", **options: Any) -> bytes:
    """The file of an image of shape (channels, height, width)."""
    stored = io.BytesIO()
    plain = pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)
    Image.fromarray(plain).save(stored, kind, **options)
    return stored.getvalue()


def folders(root: Path, images: np.ndarray = X) -> Path:
    for part, rows in (("train", TRAIN), ("test", TEST)):
        for number, (pixels, label) in enumerate(zip(images[rows], Y[rows], strict=True)):
            file = root / part / "abc"[label] / f"{number:02}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(picture(pixels))
    return root


def npz(file: Path, first: str = "x_{}", second: str = "y_{}", **replaced: Any) -> Path:
    arrays = {
        first.format("train"): X[TRAIN].transpose(0, 2, 3, 1), second.format("train"): Y[TRAIN],
        first.format("test"): X[TEST].transpose(0, 2, 3, 1), second.format("test"): Y[TEST],
    }  # fmt: skip
    np.savez(file, **(arrays | replaced))
    return file


def npy(folder: Path, cuts: tuple[int, ...] = (), **replaced: Any) -> Path:
    """A folder of .npy files, the training rows cut into several."""
    folder.mkdir()
    arrays = {"x_train": X[TRAIN].transpose(0, 2, 3, 1), "y_train": Y[TRAIN]} | replaced
    for name, array in arrays.items():
        for i, rows in enumerate(np.split(array, cuts)):
            np.save(folder / (f"{name}-{i}.npy" if cuts else f"{name}.npy"), rows)
    np.save(folder / "x_test.npy", np.asfortranarray(X[TEST]))
    np.save(folder / "y_test.npy", Y[TEST])
    return folder


def hub(folder: Path, label: str = "label", image: str = "image") -> Path:
    """As the Hugging Face hub has a set: a struct of bytes and path."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, rows in (("train", TRAIN), ("test", TEST)):
        cells = [{"bytes": picture(pixels), "path": None} for pixels in X[rows]]
        pq.write_table(pa.table({image: cells, label: Y[rows]}), folder / f"{part}-00000-of-00001.parquet")
    return folder


def parquet(file: Path, features: Any, label: Any = Y) -> Path:
    pq.write_table(pa.table({"features": features, "label": label}), file)
    return file


def check(data: Dataset, images: np.ndarray = X) -> None:
    np.testing.assert_array_equal(data.train.X, images[TRAIN])
    np.testing.assert_array_equal(data.train.y, Y[TRAIN])
    if data.test is not None:
        np.testing.assert_array_equal(data.test.X, images[TEST])
        np.testing.assert_array_equal(data.test.y, Y[TEST])


# ---- the same rows from every format ----


WAYS: dict[str, Callable[[Path], Path]] = {
    "folders of pictures": lambda path: folders(path / "set"),
    "npz, Keras": lambda path: npz(path / "set.npz"),
    "npz, MedMNIST": lambda path: npz(path / "set.npz", "{}_images", "{}_labels"),
    "npz, channels first": lambda path: npz(path / "set.npz", x_train=X[TRAIN], x_test=X[TEST].astype(int)),
    "npz, labels in a column": lambda path: npz(path / "set.npz", y_train=Y[TRAIN, None].astype(float)),
    "npy": lambda path: npy(path / "set"),
    "npy, several files, whole numbers": lambda path: npy(
        path / "set", (2, 7), x_train=X[TRAIN].astype(">i4")
    ),
    "Parquet of the hub": lambda path: hub(path / "set" / "data").parent,
    "Parquet of the hub, CIFAR's names": lambda path: hub(path / "set", "fine_label", "img"),
    "Parquet, one file of pictures": lambda path: parquet(path / "set.parquet", [picture(x) for x in X]),
}


@pytest.mark.parametrize("way", WAYS)
def test_colour_images_are_read(tmp_path: Path, way: str) -> None:
    path = WAYS[way](tmp_path)
    said: list[str] = []
    data = load(str(path), say=said.append)
    check(data)
    assert (data.name, data.title) == ("set", path.name)
    assert any(line.startswith(f"reading {path} as ") for line in said)


def test_a_set_that_has_moved_is_the_same(tmp_path: Path) -> None:
    there = folders(tmp_path / "set")
    before = load(str(there)).fingerprint
    moved = there.rename(tmp_path / "moved")
    found = load(str(there), moved)
    assert (found.fingerprint, found.title) == (before, "moved")


def test_files_of_npy_that_are_not_read_are_named(tmp_path: Path) -> None:
    folder = npy(tmp_path / "set", (2, 7))
    (folder / "x_test.npy").rename(folder / "X_test.npy")
    (folder / "y_test.npy").rename(folder / "y_tset.npy")
    said: list[str] = []
    assert load(str(folder), say=said.append).test is None
    names = "x_train.npy, x_test.npy, x_val.npy"
    line = (
        f"{folder}: X_test.npy, y_tset.npy not read; the parts' files are called {names}, and so with labels"
    )
    assert line in said


def test_grey_pictures_have_one_channel(tmp_path: Path) -> None:
    check(load(str(folders(tmp_path / "set", GREY))), GREY)


@pytest.mark.parametrize("most", [2**28, 100])
def test_a_picture_in_colour_makes_all_of_them_colour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """Also of pictures that are too many for the memory."""
    monkeypatch.setattr("largebatch.data.spool.IN_MEMORY", most)
    mixed = folders(tmp_path / "set", GREY)
    (mixed / "train" / "a" / "00.png").write_bytes(picture(X[0]))
    data = load(str(mixed))
    assert isinstance(data.train.X, StoredRows) == (most == 100)
    np.testing.assert_array_equal(data.train.X[:1], X[:1])
    np.testing.assert_array_equal(data.train.X[1:], np.repeat(GREY[1:], 3, axis=1))


@pytest.mark.parametrize("most", [2**28, 100])
def test_numbers_in_several_parquet_files_are_one_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """Also if they are too many for the memory."""
    monkeypatch.setattr("largebatch.data.spool.IN_MEMORY", most)
    rows = X.reshape(9, -1).astype(np.float32) / 7
    for name, some in (("train-0", slice(0, 4)), ("train-1", slice(4, 9)), ("test", TEST)):
        parquet(tmp_path / f"{name}.parquet", list(rows[some]), Y[some])
    data = load(str(tmp_path))
    assert isinstance(data.train.X, StoredRows) == (most == 100)
    assert data.train.X.dtype == np.float32
    check(data, rows)


def test_folders_that_spark_has_written_are_the_parts_of_a_set(tmp_path: Path) -> None:
    """With a file without rows, and with what a job that failed has left."""
    rows = X.reshape(9, -1).astype(np.float32) / 7
    for name, some in (("train", slice(0, 4)), ("train/second", slice(4, 9)), ("test", TEST)):
        (tmp_path / name / "_temporary" / "0").mkdir(parents=True)
        parquet(tmp_path / name / "part-00000-c000.snappy.parquet", list(rows[some]), Y[some])
        parquet(tmp_path / name / "part-00001-c000.snappy.parquet", pa.array([], pa.list_(pa.float32())), [])
        parquet(tmp_path / name / "_temporary" / "0" / "part-00002.parquet", list(rows[:1]), Y[:1])
        (tmp_path / name / "_SUCCESS").touch()
    check(load(str(tmp_path)), rows)


def test_pictures_that_find_no_room_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("largebatch.data.spool.IN_MEMORY", 100)
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(RunError, match=r"prepared cannot hold the pixels: Not a directory; \$XDG_CACHE_HOME"):
        load(str(folders(tmp_path / "set")))


def test_pictures_are_resized_and_made_grey(tmp_path: Path) -> None:
    path = folders(tmp_path / "set")
    (path / "train" / "a" / "00.png").write_bytes(picture(np.zeros((3, 40, 50), np.uint8)))
    data = load(str(path), reading=Reading(resize=(4, 8), grey=True))
    assert data.train.X.shape == (9, 1, 4, 8)
    assert not data.train.X[0].any()


def test_jpeg_is_read_and_turned_as_it_says(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / "set" / name).mkdir(parents=True)
        flat = np.zeros((3, 16, 8), np.uint8)
        flat[:, :8] = 200
        exif = Image.Exif()
        exif[0x0112] = 6  # its top is at the right
        file = picture(flat, "JPEG", quality=95, exif=exif)
        (tmp_path / "set" / name / "x.JPG").write_bytes(file)
    data = load(str(tmp_path / "set"))
    assert data.test is None
    assert data.train.X.shape == (2, 3, 8, 16)
    assert data.train.X[0, :, :, 8:].min() > 150 and data.train.X[0, :, :, :8].max() < 50


def test_idx_files_are_read_from_a_path_also_with_a_dot_in_their_name(tmp_path: Path) -> None:
    write_idx(tmp_path / "train-images.idx3-ubyte", GREY[:, 0])
    write_idx(tmp_path / "train-labels.idx1-ubyte", Y.astype(np.uint8))
    check(load(str(tmp_path)), GREY)


@pytest.mark.parametrize(
    ("labels", "train", "test"),
    [(1, [f"data_batch_{i}.bin" for i in range(1, 6)], "test_batch.bin"), (2, ["train.bin"], "test.bin")],
)
def test_cifar_files_are_read(tmp_path: Path, labels: int, train: list[str], test: str) -> None:
    images = RNG.integers(0, 256, (10, 3072)).astype(np.uint8)
    y = (np.arange(10) % 3).astype(np.uint8)
    rows = np.column_stack([*[np.full(10, 9, np.uint8)] * (labels - 1), y, images])
    for name, some in zip(train, np.split(rows, len(train)), strict=True):
        (tmp_path / name).write_bytes(some.tobytes())
    (tmp_path / test).write_bytes(rows[:4].tobytes())
    data = load(str(tmp_path))
    np.testing.assert_array_equal(data.train.X, images.reshape(-1, 3, 32, 32))
    np.testing.assert_array_equal(data.train.y, y)
    assert data.test is not None and len(data.test) == 4


# ---- rows of numbers ----


FEATURES = RNG.standard_normal((9, 7))


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.float64()), pa.list_(pa.float64(), 7), pa.large_list(pa.float64())]
)
def test_lists_of_floats_are_features(tmp_path: Path, kind: Any) -> None:
    data = load(str(parquet(tmp_path / "t.parquet", pa.array(FEATURES.tolist(), kind))))
    assert data.images.pixel_scale == 1
    np.testing.assert_array_equal(data.train.X, FEATURES)


def test_features_keep_their_precision_in_npz(tmp_path: Path) -> None:
    npz(tmp_path / "t.npz", x_train=FEATURES.astype(np.float32), x_test=FEATURES[TEST].astype(">f4"))
    assert load(str(tmp_path / "t.npz")).train.X.dtype == np.float32


def test_whole_numbers_as_features_are_no_pixels(tmp_path: Path) -> None:
    data = load(str(parquet(tmp_path / "t.parquet", (FEATURES * 9).round().astype(int).tolist())))
    assert (data.train.X.dtype, data.images.pixel_scale) == (np.float64, 1)


def test_raw_bytes_are_pixels_of_the_shape_that_is_told(tmp_path: Path) -> None:
    path = parquet(tmp_path / "t.parquet", [x.tobytes() for x in X])
    check(load(str(path), reading=Reading(shape=(3, 6, 5))))
    assert load(str(path)).train.X.shape == (9, 90)


def test_nested_lists_are_images(tmp_path: Path) -> None:
    check(load(str(parquet(tmp_path / "t.parquet", X[:, 0].tolist()))), GREY)


def test_labels_may_be_texts(tmp_path: Path) -> None:
    said: list[str] = []
    names = np.array(["ant", "bee", "cat"])[Y]
    data = load(str(parquet(tmp_path / "t.parquet", [picture(x) for x in X], names)), say=said.append)
    check(data)
    assert data.names == ("ant", "bee", "cat")
    assert "3 classes, numbered from 0: ant, bee, cat" in said


@pytest.mark.parametrize(
    ("names", "kept"),
    [(["ant", "bee", "cat", "dog"], ("ant", "bee", "cat")), (["ant", "bee"], ()), ("ant", ()), (None, ())],
)
def test_the_hubs_names_of_classes_are_kept_if_each_class_has_one(
    tmp_path: Path, names: Any, kept: tuple[str, ...]
) -> None:
    file = parquet(tmp_path / "t.parquet", [picture(x) for x in X])
    info = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}}
    pq.write_table(pq.read_table(file).replace_schema_metadata({"huggingface": json.dumps(info)}), file)
    data = load(str(file))
    check(data)
    assert data.names == kept


def test_folders_name_the_classes_and_numbers_do_not(tmp_path: Path) -> None:
    assert load(str(folders(tmp_path / "set"))).names == ("a", "b", "c")
    assert load(str(parquet(tmp_path / "t.parquet", [picture(x) for x in X]))).names == ()


# ---- bad input ----


def bomb() -> bytes:
    """A PNG of a few bytes whose header announces 60000 x 60000 pixels."""
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return start + struct.pack(">I", 9) + b"IDAT" + bytes(13)


def spoilt(path: Path, name: str, data: bytes) -> Path:
    """Folders of pictures, one of which is another file."""
    (folders(path / "set") / "train" / "b" / name).write_bytes(data)
    return path / "set"


def zip_bomb(path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        stored = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            stored, {"descr": "|u1", "fortran_order": False, "shape": (2**33, 1)}
        )
        archive.writestr("x_train.npy", stored.getvalue() + bytes(2**20))
        archive.writestr("y_train.npy", stored.getvalue())
    return path


Make = Callable[[Path], Path]
BAD: dict[str, tuple[Make, str]] = {
    "nothing there": (lambda p: p / "none.npz", "none.npz is not there; a .npz or .parquet file is wanted"),
    "an empty folder": (lambda p: p, "has no folders: one for each class is wanted"),
    "a class without pictures": (
        lambda p: ((folders(p / "s") / "train" / "d").mkdir(), p / "s")[1],
        "train/d holds no PNG or JPEG files",
    ),
    "a class that is only tested": (
        lambda p: ((folders(p / "s") / "train" / "c").rename(p / "c"), p / "s")[1],
        "test/c is a class without training pictures",
    ),
    "sizes that differ": (
        lambda p: spoilt(p, "x.png", picture(X[0, :, :4])),
        "train/b/x.png has 4 x 5 pixels but {}/set/train/a/00.png 6 x 5: --resize gives all pictures one ",
    ),
    "a truncated JPEG": (
        lambda p: spoilt(
            p, "x.jpg", picture(RNG.integers(0, 255, (3, 64, 64)).astype(np.uint8), "JPEG")[:900]
        ),
        "train/b/x.jpg is not a readable PNG or JPEG file: ",
    ),
    "no picture": (
        lambda p: spoilt(p, "x.png", b"<html>"),
        "x.png is not a readable PNG or JPEG file: it is",
    ),
    "an image bomb": (
        lambda p: spoilt(p, "x.png", bomb()),
        "x.png has more than the 67108864 pixels that are read",
    ),
    "one class": (
        lambda p: npz(p / "t.npz", y_train=Y * 0),
        "has one class only, 0: there is nothing to tell",
    ),
    "labels from 1": (
        lambda p: npz(p / "t.npz", y_train=Y + 1),
        "has 3 labels from 1 to 3; they must be 0 to 2: subtract 1",
    ),
    "labels with gaps": (
        lambda p: npz(p / "t.npz", y_train=Y * 5),
        "has 3 labels from 0 to 10; they must be 0 to 2: number them so",
    ),
    "negative labels": (
        lambda p: npz(p / "t.npz", y_train=Y - 1),
        "has 3 labels from -1 to 1; they must be 0",
    ),
    "a class that is only in npz's test part": (
        lambda p: npz(p / "t.npz", y_test=Y[TEST] + 1),
        "the class 3 of the test part has no training row",
    ),
    "labels that are no whole numbers": (
        lambda p: npz(p / "t.npz", y_train=Y + 0.5),
        "y_train holds labels that are not whole numbers",
    ),
    "NaN as a label": (
        lambda p: npz(p / "t.npz", y_train=np.where(Y == 1, np.nan, Y)),
        "y_train holds labels that are not whole numbers",
    ),
    "labels one-hot": (
        lambda p: npz(p / "t.npz", y_train=np.eye(3)[Y]),
        "9 rows is wanted: y.argmax(axis=1) makes them of",
    ),
    "NaN": (
        lambda p: npz(p / "t.npz", x_train=np.full((9, 6, 5), np.nan), x_test=np.zeros((5, 6, 5))),
        "t.npz, train part: X has numbers that are not finite in 9 rows, first in row 0, counted from 0: "
        "leave out or mend these rows",
    ),
    "no rows": (lambda p: npz(p / "t.npz", x_train=X[:0], y_train=Y[:0]), "x_train has no rows"),
    "parts that differ": (lambda p: npz(p / "t.npz", x_test=X[TEST, :, :4]), "must have rows of one shape"),
    "objects": (
        lambda p: npz(p / "t.npz", x_train=np.array([None] * 9)),
        "x_train holds Python objects, which are never read",
    ),
    "texts": (
        lambda p: npz(p / "t.npz", x_train=np.array(["a"] * 9)),
        "values of type <U1; numbers are wanted",
    ),
    "five dimensions": (lambda p: npz(p / "t.npz", x_train=X[..., None]), "images are (N, height, width)"),
    "other names in npz": (
        lambda p: npz(p / "t.npz", "a_{}", "b_{}"),
        "holds a_test, a_train, b_test, b_train; x_train and y_train or train_images and train_labels are ",
    ),
    "labels missing in npz": (
        lambda p: (np.savez(p / "t.npz", x_train=X, y_train=Y, x_test=X), p / "t.npz")[1],
        "t.npz lacks y_test",
    ),
    "no zip": (lambda p: ((p / "t.npz").write_bytes(b"PK\3\4"), p / "t.npz")[1], "cannot be read as an .npz"),
    "a zip bomb": (lambda p: zip_bomb(p / "t.npz"), "x_train is damaged: its header and its size differ"),
    "no Parquet": (
        lambda p: ((p / "t.parquet").write_bytes(b"PAR1"), p / "t.parquet")[1],
        "cannot be read as",
    ),
    "a missing column": (
        lambda p: (
            pq.write_table(pa.table({"features": [[1.0]], "digit": [1]}), p / "t.parquet"),
            p / "t.parquet",
        )[1],
        "t.parquet has the columns features, digit, but none called label, labels, fine_label, y or target: ",
    ),
    "null features": (
        lambda p: parquet(p / "t.parquet", [[1.0], None] * 4 + [[1.0]]),
        "4 rows whose features is",
    ),
    "null numbers": (lambda p: parquet(p / "t.parquet", [[1.0, None]] * 9), "have 9 numbers that are null"),
    "null labels": (
        lambda p: parquet(p / "t.parquet", [[1.0]] * 9, [None, *Y[1:]]),
        "has 1 rows whose label is null: leave them out",
    ),
    "rows of several lengths": (
        lambda p: parquet(p / "t.parquet", [[1.0]] * 8 + [[1.0, 2.0]]),
        "the features have rows of several lengths",
    ),
    "bytes of several lengths": (
        lambda p: parquet(p / "t.parquet", [b"a"] * 8 + [b"ab"]),
        "the features have rows of several lengths",
    ),
    "a column of texts": (
        lambda p: parquet(p / "t.parquet", ["a"] * 9),
        "are of type string; lists of numbers",
    ),
    "a path without bytes": (
        lambda p: parquet(p / "t.parquet", [{"bytes": None, "path": "a.png"}] * 9),
        "row 0 has no bytes of a picture: paths alone are not followed",
    ),
    "bytes that are a text": (
        lambda p: parquet(p / "t.parquet", [{"bytes": "PNG", "path": "a.png"}] * 9),
        "row 0 has no bytes of a picture: paths alone are not followed",
    ),
    "bytes that are numbers": (
        lambda p: parquet(p / "t.parquet", [{"bytes": [1, 2], "path": "a.png"}] * 9),
        "row 0 has no bytes of a picture: paths alone are not followed",
    ),
    "no picture among pictures": (
        lambda p: parquet(p / "t.parquet", [*map(picture, X[:-1]), b"none"]),
        "t.parquet, row 8 is not a readable PNG or JPEG file: it is of another kind",
    ),
    "two columns of a name": (
        lambda p: (
            pq.write_table(
                pa.Table.from_arrays([pa.array([[1.0]]), pa.array([[2.0]]), pa.array([0])], ["x", "x", "y"]),
                p / "t.parquet",
            ),
            p / "t.parquet",
        )[1],
        "t.parquet has 2 columns called x: rename all but one",
    ),
    "files of two kinds": (
        lambda p: (parquet(p / "train0.parquet", [[1.0]] * 9), parquet(p / "train1.parquet", [b"a"] * 9), p)[
            2
        ],
        "train1.parquet: the features are of type binary, those of another file list<element: double>: write",
    ),
    "a bad picture in a second file": (
        lambda p: (
            parquet(p / "train0.parquet", [picture(x) for x in X]),
            parquet(p / "train1.parquet", [picture(X[0]), b"none"], [0, 1]),
            p,
        )[2],
        "train1.parquet, row 1 is not a readable PNG or JPEG file: it is of another kind",
    ),
    "vectors of Spark ML": (
        lambda p: parquet(p / "t.parquet", [{"type": 1, "values": [1.0, 2.0]}] * 9),
        "t.parquet: the features are of type struct<type: int64, values: list<element: double>>; lists of",
    ),
    "a byte order mark before IDX": (
        lambda p: (
            (p / "train-images-idx3-ubyte").write_bytes(b"\xef\xbb\xbf\0\0\x08\x03"),
            (p / "train-labels-idx1-ubyte").write_bytes(b"\xef\xbb\xbf\0\0\x08\x01"),
            p,
        )[2],
        "is not an IDX file; it is a text, or an editor has put a byte order mark before it",
    ),
    "Parquet without rows": (
        lambda p: parquet(p / "t.parquet", pa.array([], pa.list_(pa.int8())), []),
        "has no rows",
    ),
    "only a test file": (
        lambda p: ((hub(p / "s") / "train-00000-of-00001.parquet").unlink(), p / "s")[1],
        "has no file to train on, only for test",
    ),
    "CIFAR cut short": (
        lambda p: ((p / "train.bin").write_bytes(bytes(3074 * 2 - 1)), p)[1],
        "train.bin has 6147 bytes, which are no records of 3074",
    ),
    "CIFAR without a test part": (
        lambda p: ((p / "train.bin").write_bytes(bytes(3074 * 2)), p)[1],
        "test.bin cannot be read: No such file",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_told_in_a_sentence(tmp_path: Path, name: str) -> None:
    make, words = BAD[name]
    with pytest.raises(UserError) as refusal:
        load(str(make(tmp_path)) + ("/" if name == "an empty folder" else ""))
    assert words.format(tmp_path) in str(refusal.value)
    assert str(tmp_path) in str(refusal.value), "it says where"
    assert_one_sentence(str(refusal.value))


@pytest.mark.parametrize(
    ("reading", "flag"),
    [(Reading(resize=(2, 2)), "--resize"), (Reading(grey=True), "--grey"), (Reading(shape=(1, 2, 2)), None)],
)
def test_an_option_that_changes_nothing_is_refused(
    tmp_path: Path, reading: Reading, flag: str | None
) -> None:
    path = npz(tmp_path / "t.npz")
    with pytest.raises(
        UserError, match=f"^{flag or '--image-shape'} changes nothing about the data set digits"
    ):
        load("digits", reading=reading)
    if flag:
        with pytest.raises(UserError, match=f"^{flag} changes nothing about data in .npz: leave it out"):
            load(str(path), reading=reading)


def test_a_shape_for_images_that_are_no_flat_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"x_train has the shape \(9, 6, 5, 3\); --image-shape is for flat rows"
    ):
        load(str(npz(tmp_path / "t.npz")), reading=Reading(shape=(3, 6, 5)))


def test_a_small_parquet_file_that_unfolds_is_refused_before_all_of_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = 2000
    path = parquet(tmp_path / "t.parquet", [bytes(1000)] * rows, [0, 1] * (rows // 2))
    assert path.stat().st_size < 20_000
    monkeypatch.setattr("largebatch.data.parquet.MAX_BYTES", 10**6)
    with pytest.raises(UserError, match=r"t\.parquet is too large: its rows have more than 1000000 bytes"):
        load(str(path))


def test_an_address_is_told_as_one() -> None:
    with pytest.raises(UserError, match="x is not there; addresses are not followed: write the path"):
        load("s3://bucket/x")


def test_hidden_files_beside_pictures_are_passed_over(tmp_path: Path) -> None:
    """As macOS puts them on disks of others, and into archives."""
    root = folders(tmp_path / "flowers")
    (root / "train" / "a" / "._00.png").write_bytes(b"\0\5\x16\7")
    check(load(str(root)))


def test_rows_of_another_length_than_the_shape_that_is_told(tmp_path: Path) -> None:
    path = parquet(tmp_path / "t.parquet", FEATURES.tolist())
    with pytest.raises(UserError, match="has rows of 7 numbers; images of --image-shape 1x2x4 have 8"):
        load(str(path), reading=Reading(shape=(1, 2, 4)))


def test_a_name_that_is_a_path_is_told_how_to_write_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders(tmp_path / "flowers")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        UserError, match=r"no data set 'flowers'; there are .*; write \./flowers for the path$"
    ):
        load("flowers")
    check(load("./flowers"))


def test_a_path_that_has_moved_is_named_by_data_dir(tmp_path: Path) -> None:
    check(load(str(tmp_path / "before.npz"), npz(tmp_path / "now.npz")))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("~/flowers", "is not there; only a shell replaces ~"),
        ("'flowers'", "is not there; the quotes are part of it"),
        ("$HOME/x.npz", "is not there; a variable in it was not replaced"),
        ("flowers", "is not there; a .npz or .parquet file is wanted"),
    ],
)
def test_a_path_with_a_slip_of_the_shell_in_it_is_told_what_it_is(
    tmp_path: Path, name: str, words: str
) -> None:
    with pytest.raises(UserError, match=re.escape(words)):
        load(str(tmp_path / name))
