"""Data files: IDX, plain and gzipped, folders of them, PNG and .npy images."""

from __future__ import annotations

import gzip
import io
import struct
from pathlib import Path

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from largebatch import data
from largebatch.data.dataset import Images
from largebatch.data.idx import decode_idx, idx_header
from largebatch.data.pictures import read_images
from tests.support.fuzzing import MIB, examples, mutated, reads
from tests.support.samples import write_dataset

SIZE = Images(4, 4, classes=3)
PIXELS = np.arange(2 * 4 * 4, dtype=np.uint8).reshape(2, 4, 4)
IDX = idx_header(PIXELS.shape) + PIXELS.tobytes()
LABELS = idx_header((8,)) + bytes(8)
HUGE = struct.pack(">4B3I", 0, 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1) + bytes(64)
BOMB = gzip.compress(struct.pack(">4B3I", 0, 0, 8, 3, 2**16, 2**8, 2**8) + bytes(32 * MIB), 9)


def _npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=array.dtype == object)
    return file.getvalue()


def _npy_of(header: str) -> bytes:
    """A .npy file with this header and no values."""
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header.encode()


def _png(mode: str, side: int = 4) -> bytes:
    file = io.BytesIO()
    Image.new(mode, (side, side), 1).save(file, "PNG")
    return file.getvalue()


NPY = (
    _npy(PIXELS), _npy(PIXELS.astype(np.int64)), _npy(np.asfortranarray(PIXELS)), _npy(PIXELS.reshape(2, 16)),
    _npy(PIXELS.astype(float)), _npy(np.array([None, 1], dtype=object)),
)  # fmt: skip
PNG = tuple(_png(mode) for mode in ("L", "RGB", "RGBA", "P", "1", "I;16", "LA"))
HEADER = "{'descr': '|u1', 'fortran_order': False, 'shape': (%s), }\n"


@examples(300, 0.3)
@given(mutated((IDX, LABELS)))
@example(HUGE)
def test_idx(content: bytes) -> None:
    array = reads("IDX", lambda: decode_idx(io.BytesIO(content), len(content), "file"))
    assert array is None or (isinstance(array, np.ndarray) and array.size < len(content))


@examples(300, 0.19)
@given(
    mutated((gzip.compress(IDX), gzip.compress(LABELS), gzip.compress(IDX)[:20]))
    | mutated((IDX,)).map(gzip.compress)
)
@example(BOMB)
@example(gzip.compress(HUGE))
def test_gzipped_idx(content: bytes) -> None:
    reads("gzipped IDX", lambda: decode_idx(io.BytesIO(content), len(content), "file"))


@examples(100, 0.03)
@given(st.sampled_from([np.iinfo(np.uint8).max, 3]), mutated((IDX, LABELS)), st.integers(0, 3))
def test_folder_of_idx(tmp_path: Path, label: int, content: bytes, which: int) -> None:
    folder = write_dataset(tmp_path) if not any(tmp_path.iterdir()) else tmp_path
    file = sorted(folder.iterdir())[which]
    before = file.read_bytes()
    file.write_bytes(content)
    try:
        reads("folder of IDX", lambda: data.load("idx", folder).fingerprint)
    finally:
        file.write_bytes(before)


@examples(200, 0.12)
@given(mutated(NPY))
@example(_npy_of(HEADER % "1099511627776, 4, 4"))
@example(_npy_of(HEADER % f"0x{'f' * 4000}, 3"))
@example(_npy_of(HEADER % ("(" * 300 + ")" * 300)))
@example(_npy_of("[" * 9000))
def test_npy(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "images.npy"
    file.write_bytes(content)
    reads(".npy", lambda: read_images(file, SIZE))


@examples(150, 0.1)
@given(mutated(PNG))
@example(_png("L")[:16] + struct.pack(">II", 2**31 - 1, 2**31 - 1) + _png("L")[24:])
def test_png(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "image.png"
    file.write_bytes(content)
    reads("PNG", lambda: read_images(file, SIZE))
    reads("folder of PNG", lambda: read_images(tmp_path, SIZE))
