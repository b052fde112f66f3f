"""Sets by name with published checksums: small archives of their formats stand in for the real ones."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import io
import tarfile
import threading
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from largebatch.data import cifar, download, emnist, kmnist, load, obtain, patches, svhn
from largebatch.data.archives import Published
from largebatch.data.idx import write_idx
from largebatch.data.idx_folder import PARTS, spellings
from largebatch.errors import RunError, UserError

RNG = np.random.default_rng(4)
X = RNG.integers(0, 256, (6, 3, 32, 32)).astype(np.uint8)
Y = np.array([0, 1, 2, 3, 1, 0], np.uint8)
TEST = slice(0, 4)


def idx(folder: Path, name: str, array: np.ndarray) -> Path:
    write_idx(folder / name, np.ascontiguousarray(array))
    return folder / name


def make_kmnist(folder: Path) -> None:
    for part in PARTS:
        array = X[:, 0] if "images" in part else Y
        idx(folder, f"{spellings(part)[0]}.gz", array[TEST] if part.startswith("test") else array)


def make_emnist(folder: Path, split: str = "balanced", first: int = 0) -> None:
    with zipfile.ZipFile(folder / "gzip.zip", "w") as archive:
        for part, rows in (("train", slice(None)), ("test", TEST)):
            for kind, array in (
                ("images-idx3", X[rows, 0].transpose(0, 2, 1)), ("labels-idx1", Y[rows] + np.uint8(first)),
            ):  # fmt: skip
                name = f"emnist-{split}-{part}-{kind}-ubyte.gz"
                archive.write(idx(folder / "loose", name, array), f"gzip/{name}")


def make_cifar(folder: Path, name: str, members: dict[str, slice], coarse: bool) -> None:
    labels = [np.full(6, 7, np.uint8), Y] if coarse else [Y]
    rows = np.column_stack([*labels, X.reshape(6, -1)])
    with tarfile.open(folder / name, "w:gz") as archive:
        for member, some in members.items():
            entry = tarfile.TarInfo(f"a-folder/{member}")
            data = rows[some].tobytes()
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


def make_svhn(folder: Path) -> None:
    for part, rows in (("train", slice(None)), ("test", TEST)):
        y = np.where(Y == 0, 10, Y).astype(np.uint8)
        savemat(folder / f"{part}_32x32.mat", {"X": X[rows].transpose(2, 3, 1, 0), "y": y[rows, None]})


BATCHES = {f"data_batch_{i + 1}.bin": slice(i, i + 1) for i in range(4)} | {
    "data_batch_5.bin": slice(4, 6),
    "test_batch.bin": TEST,
}
SETS: dict[str, tuple[Published, Callable[[Path], None], bool]] = {  # and whether it is in colour
    "kmnist": (kmnist.SET, make_kmnist, False),
    "emnist-balanced": (emnist.SETS["balanced"], make_emnist, False),
    "emnist-letters": (
        emnist.SETS["letters"], functools.partial(make_emnist, split="letters", first=1), False,
    ),
    "cifar10": (
        cifar.CIFAR10,
        lambda folder: make_cifar(folder, "cifar-10-binary.tar.gz", BATCHES, False),
        True,
    ),
    "cifar100": (
        cifar.CIFAR100,
        lambda folder: make_cifar(
            folder, "cifar-100-binary.tar.gz", {"train.bin": slice(None), "test.bin": TEST}, True
        ),
        True,
    ),
    "svhn": (svhn.SET, make_svhn, True),
}  # fmt: skip


def publish(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mirror's folder with a small set, whose checksums pass for the published ones."""
    published, make, _ = SETS[name]
    folder.mkdir(parents=True)
    make(folder)
    archives = []
    for archive in published.archives:
        data = (folder / archive.name).read_bytes()
        sha256 = hashlib.sha256(data).hexdigest()
        archives.append(dataclasses.replace(archive, sha256=sha256, size=len(data)))
    monkeypatch.setattr(published, "archives", archives)
    return folder


@pytest.fixture
def mirror(tmp_path: Path, cache_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """CIFAR-10 in a folder of its name, served as $LARGEBATCH_MIRROR."""
    monkeypatch.setenv("LARGEBATCH_MIRROR", (tmp_path / "mirror").as_uri())
    return publish("cifar10", tmp_path / "mirror" / "cifar10", monkeypatch)


@pytest.mark.parametrize("name", SETS)
def test_a_set_is_downloaded_and_read_upright_and_counted_from_0(
    tmp_path: Path, cache_home: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("LARGEBATCH_MIRROR", publish(name, tmp_path / "mirror", monkeypatch).as_uri())
    data = load(name)
    images = X if SETS[name][2] else X[:, :1]
    np.testing.assert_array_equal(data.train.X, images)
    np.testing.assert_array_equal(data.train.y, Y)
    assert data.test is not None
    np.testing.assert_array_equal(data.test.X, images[TEST])
    np.testing.assert_array_equal(data.test.y, Y[TEST])
    assert obtain(name).parent == cache_home / "data"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("emnist-letters", ["turned upright", "letters from 1"]),
        ("emnist-balanced", ["turned upright"]),
        ("svhn", ["digit 0 a 10"]),
    ],
)
def test_what_is_changed_is_said(
    tmp_path: Path, cache_home: Path, monkeypatch: pytest.MonkeyPatch, name: str, words: list[str]
) -> None:
    said: list[str] = []
    load(name, publish(name, tmp_path / "here", monkeypatch), say=said.append)
    assert all(any(word in line for line in said) for word in words)
    assert sum("letters from 1" in line for line in said) == words.count("letters from 1")


def test_the_cache_serves_without_a_mirror_and_is_repaired(
    mirror: Path, cache_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load("cifar10").fingerprint
    file = cache_home / "data" / "cifar10" / "cifar-10-binary.tar.gz"
    assert [path.name for path in file.parent.iterdir()] == [file.name], "nothing else is left"
    monkeypatch.setenv("LARGEBATCH_MIRROR", "file:///nowhere")
    assert load("cifar10", download=False).fingerprint == first
    file.write_bytes(b"damaged")
    with pytest.raises(UserError, match=r"CIFAR-10 is not on this machine .*its SHA-256 is"):
        load("cifar10", download=False)
    monkeypatch.setenv("LARGEBATCH_MIRROR", mirror.parent.as_uri())
    assert load("cifar10").fingerprint == first
    assert file.read_bytes() == (mirror / file.name).read_bytes()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (lambda data: data[:-1] + b"x", "its SHA-256 is not the published one"),
        (lambda data: data + b"x", "the file is larger than [0-9]+ bytes"),
        (lambda data: None, "No such file"),
    ],
)
def test_a_bad_mirror_is_told_and_leaves_nothing(
    mirror: Path, cache_home: Path, content: Callable[[bytes], bytes | None], reason: str
) -> None:
    file = mirror / "cifar-10-binary.tar.gz"
    data = content(file.read_bytes())
    file.unlink()
    if data is not None:
        file.write_bytes(data)
    with pytest.raises(
        RunError, match=rf"could not be downloaded from .*{reason}.*; name a folder with cifar-10"
    ):
        load("cifar10")
    assert not [path for path in cache_home.rglob("*") if path.is_file()]


def test_a_cache_that_cannot_be_written_is_told(mirror: Path, cache_home: Path) -> None:
    cache_home.parent.mkdir()
    cache_home.write_text("a file in the way")
    with pytest.raises(RunError, match=r"cannot be written: .*\$XDG_CACHE_HOME"):
        load("cifar10")


def test_files_of_the_user_are_read_where_they_are_and_checked(
    mirror: Path, cache_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LARGEBATCH_MIRROR", "file:///nowhere")
    for folder in (mirror, mirror.parent):
        assert load("cifar10", folder).train.X.shape == X.shape
    monkeypatch.setenv("LARGEBATCH_DATA", str(mirror.parent))
    assert obtain("cifar10") == mirror
    assert not cache_home.exists()
    (mirror / "cifar-10-binary.tar.gz").write_bytes(b"another")
    with pytest.raises(UserError, match=r"is not cifar-10-binary.tar.gz as it was published: its SHA-256 is"):
        load("cifar10")
    with pytest.raises(UserError, match=r"lacks cifar-100-binary.tar.gz"):
        load("cifar100", mirror)


@pytest.fixture
def server(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The mirror on loopback, by plain http; and the agents that asked."""
    agents: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_request(self, *_: object) -> None:
            agents.append(str(self.headers["User-Agent"]))

    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(mirror))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.delenv("LARGEBATCH_MIRROR")
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def from_server(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (archive,) = cifar.CIFAR10.archives
    bases = ("https://127.0.0.1:1/nobody", url)
    monkeypatch.setattr(cifar.CIFAR10, "archives", [dataclasses.replace(archive, bases=bases)])


def test_plain_http_is_refused(server: str, cache_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from_server(server, monkeypatch)
    with pytest.raises(RunError, match="unknown url type: http"):
        load("cifar10")
    assert not [path for path in cache_home.rglob("*") if path.is_file()]


def test_a_server_is_asked_after_another_that_is_not_there(
    server: str, cache_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "_opener", urllib.request.build_opener)  # plain http, for this server
    from_server(server, monkeypatch)
    said: list[str] = []
    assert load("cifar10", say=said.append).train.X.shape == X.shape
    assert [line.split()[0] for line in said] == ["downloading", "downloading", "reading"]


# ---- patches ----


def test_patches_are_colour_of_disjoint_halves_and_made_once(cache_home: Path) -> None:
    pytest.importorskip("skimage")
    said: list[str] = []
    data = load("patches", say=said.append)
    assert data.test is not None
    assert (data.train.X.shape, data.test.X.shape) == ((5000, 3, 32, 32), (1000, 3, 32, 32))
    assert np.bincount(data.train.y).tolist() == [500] * 10
    astronaut = patches.photographs()[0]
    np.testing.assert_array_equal(data.train.X[0], astronaut[:32, :32].transpose(2, 0, 1))
    np.testing.assert_array_equal(data.test.X[0], astronaut[:32, 256:288].transpose(2, 0, 1))
    assert load("patches", say=said.append).fingerprint == data.fingerprint
    assert sum("making patches" in line for line in said) == 1


@pytest.mark.parametrize(
    ("split", "classes"), [("byclass", 62), ("balanced", 47), ("bymerge", 47), ("letters", 26)]
)
def test_emnist_has_a_character_for_each_class(split: str, classes: int) -> None:
    names = emnist.SETS[split].class_names
    assert len(set(names)) == len(names) == classes
    assert names[:3] == (("a", "b", "c") if split == "letters" else ("0", "1", "2"))
