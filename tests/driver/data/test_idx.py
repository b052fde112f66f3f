"""The IDX reader and writer: round trips, and every way in which a file can be wrong."""

from __future__ import annotations

import gzip
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from largebatch.data.idx import idx_header, read_idx, write_idx
from largebatch.errors import RunError, UserError


@pytest.mark.parametrize("name", ["a b'c", "a b'c.gz"])
@pytest.mark.parametrize("shape", [(1,), (5,), (2, 3), (4, 2, 3)])
def test_round_trip(tmp_path: Path, name: str, shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    write_idx(tmp_path / name, array)
    read = read_idx(tmp_path / name)
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, array)


def test_layout_is_the_published_one(tmp_path: Path) -> None:
    write_idx(tmp_path / "x", np.array([[1, 2, 3]], np.uint8))
    assert (tmp_path / "x").read_bytes() == bytes.fromhex("00000802 00000001 00000003 010203")


def test_equal_arrays_give_equal_gzip_bytes(tmp_path: Path) -> None:
    for name in ("a.gz", "b.gz"):
        write_idx(tmp_path / name, np.arange(9, dtype=np.uint8))
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


@pytest.mark.parametrize(
    "array",
    [np.zeros(3, np.int64), np.zeros((0, 2), np.uint8), np.zeros((1, 1, 1, 1), np.uint8), np.uint8(3) + 0],
    ids=["int64", "empty", "four dimensions", "none"],
)
def test_writer_refuses_what_the_reader_would(tmp_path: Path, array: np.ndarray) -> None:
    with pytest.raises(UserError, match="uint8 with one to 3 dimensions"):
        write_idx(tmp_path / "x", np.asarray(array))
    assert not list(tmp_path.iterdir())


def test_writer_leaves_nothing_behind_when_it_fails(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(RunError, match="cannot be written"):
        write_idx(tmp_path / "x", np.arange(3, dtype=np.uint8))
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


WRONG = {
    "empty": (b"", "truncated: it is too short"),
    "half a magic": (b"\0\0\x08", "truncated: it is too short"),
    "not IDX": (b"\x89PNF\r\n\x1a\n", "not an IDX file: it begins with 89504e46"),
    "floats": (b"\0\0\x0d\x01" + bytes(8), "IDX type 0x0d; only unsigned bytes"),
    "no dimension": (b"\0\0\x08\x00", "announces 0 dimensions"),
    "255 dimensions": (b"\0\0\x08\xff", "announces 255 dimensions"),
    "half a header": (b"\0\0\x08\x03" + bytes(5), "ends within the IDX header"),
    "zero rows": (idx_header((0, 2, 2)), "empty: its header announces the shape 0 x 2 x 2"),
    "zero width": (idx_header((1, 2, 0)), "empty"),
    "one byte short": (idx_header((2, 3)) + bytes(5), "truncated"),
    "one byte long": (idx_header((2, 3)) + bytes(7), "trailing bytes"),
    "2^40 values": (
        idx_header((2**20, 2**10, 2**10)) + bytes(9),
        "truncated: its header announces 1048576 x",
    ),
    "2^96 values": (idx_header((2**32 - 1,) * 3) + bytes(9), "truncated"),
}


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("case", WRONG)
def test_wrong_content(tmp_path: Path, case: str, suffix: str) -> None:
    content, message = WRONG[case]
    path = tmp_path / f"images{suffix}"
    path.write_bytes(gzip.compress(content) if suffix else content)
    with pytest.raises(UserError, match=message) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["images", "images.gz"])
@pytest.mark.parametrize("gzipped", [False, True])
def test_whether_a_file_is_gzipped_is_seen_by_its_content_not_by_its_name(
    tmp_path: Path, name: str, gzipped: bool
) -> None:
    content = idx_header((3,)) + b"abc"
    (tmp_path / name).write_bytes(gzip.compress(content) if gzipped else content)
    assert read_idx(tmp_path / name).tobytes() == b"abc"


OTHERS = {
    "an archive of arrays": (b"PK\x03\x04" + bytes(40), "a zip archive, such as .npz: unpack it first"),
    "a tar archive": (
        b"mnist/train-images".ljust(257, b"\0") + b"ustar\x0000",
        "a tar archive: unpack it first",
    ),
    "an array": (b"\x93NUMPY\x01\x00", "a .npy file"),
    "a JPEG image": (b"\xff\xd8\xff\xe0\0\x10JFIF", "a JPEG image"),
    "a web page": (b"\n<!DOCTYPE html><title>Sign in</title>", "a web page"),
    "a pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "a pointer of Git LFS"),
}


@pytest.mark.parametrize("gzipped", [False, True])
@pytest.mark.parametrize("case", OTHERS)
def test_a_file_of_another_kind_is_called_what_it_is(tmp_path: Path, case: str, gzipped: bool) -> None:
    content, kind = OTHERS[case]
    (tmp_path / "x").write_bytes(gzip.compress(content) if gzipped else content)
    with pytest.raises(UserError, match=f"x is not an IDX file; it is {kind}"):
        read_idx(tmp_path / "x")


def test_a_file_that_is_gzipped_twice_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "x.gz").write_bytes(gzip.compress(gzip.compress(idx_header((3,)) + b"abc")))
    with pytest.raises(UserError, match="is not an IDX file; it is gzipped twice"):
        read_idx(tmp_path / "x.gz")


def test_gzip_that_ends_early(tmp_path: Path) -> None:
    content = np.random.default_rng(0).bytes(1000)
    (tmp_path / "x.gz").write_bytes(gzip.compress(idx_header((1000,)) + content)[:-100])
    with pytest.raises(UserError, match="its gzip stream ends early"):
        read_idx(tmp_path / "x.gz")


def test_gzip_with_a_flipped_bit(tmp_path: Path) -> None:
    stored = bytearray(gzip.compress(idx_header((1000,)) + np.random.default_rng(0).bytes(1000)))
    stored[500] ^= 1
    (tmp_path / "x.gz").write_bytes(stored)
    with pytest.raises(UserError, match="not a valid gzip file"):
        read_idx(tmp_path / "x.gz")


def test_gzip_bomb_is_read_no_further_than_announced(tmp_path: Path) -> None:
    (tmp_path / "x.gz").write_bytes(gzip.compress(idx_header((10,)) + bytes(2**26), 9))
    tracemalloc.start()
    with pytest.raises(UserError, match="trailing bytes"):
        read_idx(tmp_path / "x.gz")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**21


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_an_array_is_read_into_memory_once(tmp_path: Path, suffix: str) -> None:
    size = 2**24
    content = idx_header((size,)) + bytes(size)
    (tmp_path / "x").write_bytes(gzip.compress(content, 1) if suffix else content)
    tracemalloc.start()
    read_idx(tmp_path / "x")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.5 * size


def test_a_shape_that_is_not_wanted_is_refused_before_values_are_read(tmp_path: Path) -> None:
    def refuse(shape: tuple[int, ...]) -> None:
        raise UserError(f"shape {shape}")

    (tmp_path / "x.gz").write_bytes(gzip.compress(idx_header((2**24,))))  # nothing follows
    with pytest.raises(UserError, match=r"shape \(16777216,\)"):
        read_idx(tmp_path / "x.gz", refuse)


IN_LITTLE_MEMORY = """
import resource, sys
from pathlib import Path
from largebatch.data.idx import read_idx
from largebatch.errors import UserError
taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + 2**28, resource.RLIM_INFINITY))
try:
    read_idx(Path(sys.argv[1]))
except UserError as error:
    print(error)
"""


def test_an_array_that_memory_cannot_hold_is_refused_in_a_sentence(tmp_path: Path) -> None:
    content = gzip.compress(idx_header((2**31,)) + np.random.default_rng(0).bytes(2**21 + 9))
    (tmp_path / "x.gz").write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", IN_LITTLE_MEMORY, str(tmp_path / "x.gz")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.endswith("x.gz needs 2147483648 bytes of memory, more than this process can have\n"), (
        done.stderr
    )


def test_announced_array_above_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.write(struct.pack(">4B3I", 0, 0, 8, 3, 2**12, 2**10, 2**10))
        file.truncate(16 + 2**32)  # a hole: takes no room on disk
    with pytest.raises(UserError, match="too large"):
        read_idx(path)


def test_folder_and_absent_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a folder where an IDX file is expected"):
        read_idx(tmp_path)
    with pytest.raises(UserError, match="absent is not a file"):
        read_idx(tmp_path / "absent")
    with pytest.raises(UserError, match="File name too long"):
        read_idx(tmp_path / ("n" * 300))


def _like_idx() -> st.SearchStrategy[bytes]:
    """Bytes near to IDX files: right magic, small sizes, about the right number of values."""
    sizes = st.lists(st.integers(0, 4) | st.integers(0, 2**32 - 1), max_size=4)
    return st.builds(
        lambda kind, dims, body: bytes((0, 0, kind, len(dims))) + struct.pack(f">{len(dims)}I", *dims) + body,
        st.sampled_from([8, 8, 8, 9, 13]),
        sizes,
        st.binary(max_size=70),
    )


@settings(max_examples=200)
@given(
    content=st.binary(max_size=100) | _like_idx(),
    how=st.sampled_from(["raw", "gz", "raw named gz", "cut gz"]),
)
def test_fuzz_gives_an_array_or_a_user_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, how: str
) -> None:
    path = tmp_path_factory.getbasetemp() / ("fuzz" if how == "raw" else "fuzz.gz")
    stored = gzip.compress(content) if how in ("gz", "cut gz") else content
    path.write_bytes(stored[: len(stored) * 2 // 3] if how == "cut gz" else stored)
    try:
        array = read_idx(path)
    except UserError as error:
        assert str(path) in str(error)
    else:
        assert idx_header(array.shape) + array.tobytes() == content
