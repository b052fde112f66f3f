"""MNIST: where it is looked for, its download from a local mirror, and the real files if they are here."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from largebatch.data import load, mnist, obtain
from largebatch.data.dataset import Images
from largebatch.data.idx import idx_header, write_idx
from largebatch.data.idx_folder import PARTS, spellings
from largebatch.errors import RunError, UserError
from tests.support.samples import write_small_mnist

IMAGES = "train-images-idx3-ubyte.gz"


@pytest.fixture
def mirror(tmp_path: Path, cache_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder served as $LARGEBATCH_MIRROR, with a small set that passes for MNIST."""
    folder = tmp_path / "a mirror"
    monkeypatch.setattr(mnist.SET, "files", write_small_mnist(folder))
    monkeypatch.setenv("LARGEBATCH_MIRROR", folder.as_uri())
    return folder


def cached(cache_home: Path) -> list[str]:
    """Names of all files in the cache."""
    return sorted(p.name for p in cache_home.rglob("*") if p.is_file())


def test_it_needs_a_network_where_it_is_not_at_hand() -> None:
    assert mnist.SOURCE.needs_network


def test_download_fills_the_cache(mirror: Path, cache_home: Path) -> None:
    said: list[str] = []
    data = load("mnist", say=said.append)
    assert (data.name, data.title, data.train.X.shape) == ("mnist", "MNIST", (3, 1, 4, 4))
    assert sum(line.startswith("downloading file://") for line in said) == 4
    assert cached(cache_home) == sorted(p.name for p in mirror.iterdir())


def test_cache_is_used_without_a_mirror(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = obtain("mnist")
    monkeypatch.setenv("LARGEBATCH_MIRROR", "file:///nowhere")
    assert load("mnist", download=False).fingerprint == load("mnist").fingerprint
    assert where.name == "mnist"


def test_damaged_cache_is_repaired(mirror: Path, cache_home: Path) -> None:
    file = obtain("mnist") / IMAGES
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(UserError, match=r"not on this machine .*truncated"):
        load("mnist", download=False)
    said: list[str] = []
    load("mnist", say=said.append)
    assert sum(line.startswith("downloading") for line in said) == 1
    assert file.read_bytes() == (mirror / IMAGES).read_bytes()


def test_absent_and_not_to_be_downloaded(cache_home: Path) -> None:
    with pytest.raises(UserError, match=r"MNIST is not on this machine .* --data-dir or \$LARGEBATCH_DATA"):
        load("mnist", download=False)


def spoil(path: Path, how: str) -> None:
    """Make a file of the mirror wrong."""
    if how == "other content":
        write_idx(path, np.zeros((3, 4, 4), np.uint8) + 77)
    elif how == "partial":
        path.write_bytes(path.read_bytes()[:-9])
    elif how == "web page":
        path.write_bytes(b"<!DOCTYPE html><title>Sign in</title>")
    else:
        path.unlink()


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("other content", "the SHA-256 of its content is .* expected"),
        ("partial", "truncated"),
        ("web page", "a web page, perhaps a mirror's complaint"),
        ("absent", "No such file"),
    ],
)
def test_bad_mirror(mirror: Path, cache_home: Path, how: str, reason: str) -> None:
    spoil(mirror / IMAGES, how)
    with pytest.raises(RunError, match=reason) as caught:
        load("mnist")
    message = str(caught.value)
    assert mirror.as_uri() in message
    assert all(word in message for word in ("--data-dir", "$LARGEBATCH_DATA", "$LARGEBATCH_MIRROR"))
    assert cached(cache_home) == []


def test_failure_keeps_the_files_that_were_sound(mirror: Path, cache_home: Path) -> None:
    spoil(mirror / "t10k-labels-idx1-ubyte.gz", "partial")
    with pytest.raises(RunError, match=r"t10k-labels-idx1-ubyte\.gz could not be downloaded"):
        load("mnist")
    assert len(cached(cache_home)) == 3


def test_second_mirror_is_tried(mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LARGEBATCH_MIRROR")
    monkeypatch.setattr(mnist.SET, "mirrors", ((tmp_path / "none").as_uri(), mirror.as_uri() + "/"))
    assert load("mnist").train.X.shape == (3, 1, 4, 4)


def test_a_file_of_another_shape_is_refused_before_its_values_are_read(mirror: Path) -> None:
    bomb = gzip.compress(idx_header((2**11, 2**10, 2**10)) + bytes(2**22), 9)  # announces 2 GiB
    (mirror / IMAGES).write_bytes(bomb)
    tracemalloc.start()
    with pytest.raises(UserError, match="its header announces 2048 x 1024 x 1024 bytes, expected 3 x 4 x 4"):
        load("mnist", mirror)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**21


def test_files_are_checked_without_a_copy(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shape = (2**12, 2**6, 2**6)
    write_idx(mirror / IMAGES, np.zeros(shape, np.uint8))
    monkeypatch.setitem(mnist.SET.files, "train_images", (shape, "another"))
    tracemalloc.start()
    with pytest.raises(UserError, match="the SHA-256 of its content is"):
        load("mnist", mirror)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.5 * 2**24


def test_size_limit(mirror: Path, cache_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mnist.SET, "max_download", 20)
    with pytest.raises(RunError, match="larger than 20 bytes"):
        load("mnist")
    assert cached(cache_home) == []


def test_interrupted_write_leaves_nothing(
    mirror: Path, cache_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(self: Path, target: Path) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        load("mnist")
    assert cached(cache_home) == []


def test_cache_that_cannot_be_written(mirror: Path, cache_home: Path) -> None:
    cache_home.parent.mkdir()
    cache_home.write_text("a file in the way")
    with pytest.raises(RunError, match=r"cannot be written: .*\$XDG_CACHE_HOME"):
        load("mnist")


@pytest.mark.parametrize("url", ["http://example.org/mnist", "ftp://example.org", "/srv/mnist"])
def test_mirror_has_to_be_https(cache_home: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("LARGEBATCH_MIRROR", url)
    with pytest.raises(UserError, match="must begin with https://"):
        load("mnist")


def test_malformed_mirror(cache_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LARGEBATCH_MIRROR", "https://[half")
    with pytest.raises(RunError, match="could not be downloaded"):
        load("mnist")


def test_data_dir_is_read(mirror: Path, cache_home: Path) -> None:
    assert load("mnist", mirror).train.X.shape == (3, 1, 4, 4)
    assert obtain("mnist", mirror) == mirror
    assert cached(cache_home) == []


def test_data_dir_without_the_files_is_not_replaced_by_a_download(mirror: Path, tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    with pytest.raises(UserError, match="bare lacks train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k"):
        load("mnist", tmp_path / "bare")


def test_damaged_file_in_data_dir(mirror: Path) -> None:
    spoil(mirror / IMAGES, "other content")
    with pytest.raises(
        UserError, match=f"{IMAGES} is not MNIST's .* is [0-9a-f]{{64}}, expected [0-9a-f]{{64}}"
    ):
        load("mnist", mirror)


def test_variable_names_the_folder_or_the_one_above(
    tmp_path: Path, cache_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mnist.SET, "files", write_small_mnist(tmp_path / "sets" / "mnist"))
    for folder in (tmp_path / "sets", tmp_path / "sets" / "mnist"):
        monkeypatch.setenv("LARGEBATCH_DATA", str(folder))
        assert obtain("mnist") == tmp_path / "sets" / "mnist"
    assert cached(cache_home) == []


def test_variable_without_mnist_falls_through(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LARGEBATCH_DATA", str(tmp_path))
    assert load("mnist").train.X.shape == (3, 1, 4, 4)


def test_real_mnist(mnist_dir: Path, cache_home: Path) -> None:
    data = load("mnist", mnist_dir)
    assert data.train.X.shape == (60000, 1, 28, 28)
    assert data.parts["test"].X.shape == (10000, 1, 28, 28)
    assert data.images == Images(28, 28, 10)
    assert int(data.train.X.sum()) == 1567298545
    assert int(data.parts["test"].X.sum()) == 264923200
    assert data.train.y[:5].tolist() == [5, 0, 4, 1, 9]
    assert np.bincount(data.parts["test"].y).tolist() == [
        980,
        1135,
        1032,
        1010,
        982,
        892,
        958,
        1028,
        974,
        1009,
    ]


def test_real_mnist_through_a_mirror(
    mnist_dir: Path, cache_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LARGEBATCH_MIRROR", mnist_dir.as_uri())
    where = obtain("mnist")
    assert sorted(p.name for p in where.iterdir()) == sorted(f"{spellings(part)[0]}.gz" for part in PARTS)
