"""MNIST: 60000 training and 10000 test images of 28 x 28 pixels, ten classes."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

from largebatch.data.cache import data_cache, write_cached
from largebatch.data.dataset import Dataset, Source, UInt8Array
from largebatch.data.download import MIRROR_VARIABLE, fetch_from_any, mirrors
from largebatch.data.idx import decode_idx, idx_header, read_idx, times
from largebatch.data.idx_folder import (
    FOLDER_VARIABLE,
    PARTS,
    find_part,
    missing,
    passed_over,
    spellings,
    user_folder,
)
from largebatch.errors import RunError, UserError
from largebatch.terminal.say import Say

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
MAX_DOWNLOAD = 16 * 2**20  # bytes; the largest of the compressed files has 9.9e6

# Of each file: its array's shape, and the SHA-256 of its content, decompressed: mirrors compress differently.
FILES = {
    "train_images": (
        (60000, 28, 28),
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    "train_labels": ((60000,), "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    "test_images": (
        (10000, 28, 28),
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    "test_labels": ((10000,), "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
}
_PROVIDE = (
    f"name a folder with the four files by --data-dir or ${FOLDER_VARIABLE}, "
    f"or another mirror by ${MIRROR_VARIABLE}"
)
_OTHERWISE = "fetch it again, or use the data set idx for other images"


def _check_shape(part: str, shape: tuple[int, ...], shown: str) -> None:
    """Raises UserError for another shape than MNIST's."""
    wanted, _ = FILES[part]
    if shape != wanted:
        raise UserError(
            f"{shown} is not MNIST's {spellings(part)[0]}: its header announces {times(shape)} bytes, "
            f"expected {times(wanted)}; {_OTHERWISE}"
        )


def _check(part: str, array: UInt8Array, shown: str) -> UInt8Array:
    """The array itself; raises UserError unless it is, with its header, MNIST's file to the byte."""
    _, wanted = FILES[part]
    digest = hashlib.sha256(idx_header(array.shape))
    digest.update(array.data)
    if digest.hexdigest() != wanted:
        raise UserError(
            f"{shown} is not MNIST's {spellings(part)[0]}: the SHA-256 of its content is "
            f"{digest.hexdigest()}, expected {wanted}; {_OTHERWISE}"
        )
    return array


def _read(part: str, path: Path) -> UInt8Array:
    """One part from a file. Raises UserError unless it is MNIST's; values of another shape are not read."""
    array = read_idx(path, lambda shape: _check_shape(part, shape, str(path)))
    return _check(part, array, str(path))


def _read_user_file(folder: Path, part: str) -> UInt8Array:
    return _read(part, find_part(folder, part) or folder / spellings(part)[0])


def _read_cached(part: str, download: bool, say: Say) -> UInt8Array:
    """One part from the cache, downloaded into it first if it is absent or damaged there."""
    path = data_cache("mnist") / _file_name(part)
    try:
        return _read(part, path)
    except UserError as error:
        if not download:
            raise UserError(f"MNIST is not on this machine ({error}); {_PROVIDE}") from error
        if path.exists():
            say(str(error))
    data = _download(part, say)
    write_cached(path, data)
    return _decode(part, data, str(path))


def _download(part: str, say: Say) -> bytes:
    """The compressed file of one part, checked. Raises RunError if no mirror has it."""
    try:
        return fetch_from_any(
            _file_name(part),
            mirrors(MIRRORS),
            MAX_DOWNLOAD,
            lambda data, url: _decode(part, data, url),
            say,
        )
    except RunError as error:
        raise RunError(f"{error}; {_PROVIDE}") from error


def _decode(part: str, data: bytes, shown: str) -> UInt8Array:
    array = decode_idx(io.BytesIO(data), len(data), shown, lambda shape: _check_shape(part, shape, shown))
    return _check(part, array, shown)


def _file_name(part: str) -> str:
    return f"{spellings(part)[0]}.gz"


def _find(data_dir: Path | None) -> Path | None:
    cache = data_cache("mnist")
    return user_folder("mnist", data_dir) or (None if missing(cache) else cache)


def _load(data_dir: Path | None, download: bool, say: Say) -> Dataset:
    folder = user_folder("mnist", data_dir)
    if folder is None and (why := passed_over()):
        say(why)
    say(f"reading MNIST from {folder or data_cache('mnist')}")
    if folder is not None:
        arrays = {part: _read_user_file(folder, part) for part in PARTS}
    else:
        arrays = {part: _read_cached(part, download, say) for part in PARTS}
    return Dataset.from_arrays("mnist", "MNIST", **arrays)


SOURCE = Source(
    name="mnist",
    title="MNIST",
    needs_network=True,
    how=f"downloaded on first use (12 MB); without a network, {_PROVIDE}",
    find=_find,
    load=_load,
)
