"""EMNIST (Cohen et al. 2017): handwritten letters and digits in six splits, all in one archive."""

from __future__ import annotations

import functools
import io
import string
import zipfile
from collections.abc import Sequence
from pathlib import Path

from largebatch.data.archives import Archive, Published
from largebatch.data.dataset import UInt8Array
from largebatch.data.idx import decode_idx
from largebatch.terminal.say import Say

SPLITS = ("balanced", "byclass", "bymerge", "digits", "letters", "mnist")
ARCHIVE = Archive(
    "gzip.zip",
    "fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e",  # as TensorFlow Datasets has it
    561753746,
    (
        "https://biometrics.nist.gov/cs_links/EMNIST/",
        "https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/",
    ),
)

_MERGED = string.digits + string.ascii_uppercase + "abdefghnqrt"  # small letters that differ from capitals
CHARACTERS = {  # of the classes, as the authors number them
    "byclass": string.digits + string.ascii_uppercase + string.ascii_lowercase,
    "balanced": _MERGED,
    "bymerge": _MERGED,
    "letters": string.ascii_lowercase,
}


def read(split: str, files: Sequence[Path], say: Say) -> dict[str, UInt8Array]:
    """The arrays of a split: images turned upright, labels counted from 0."""
    say("EMNIST stores its images transposed: they are turned upright")
    first = 1 if split == "letters" else 0
    if first:
        say("EMNIST counts letters from 1: they become the classes 0 (a) to 25 (z)")
    arrays = {}
    with zipfile.ZipFile(files[0]) as archive:
        for part in ("train", "test"):
            images = _array(archive, f"gzip/emnist-{split}-{part}-images-idx3-ubyte.gz")
            labels = _array(archive, f"gzip/emnist-{split}-{part}-labels-idx1-ubyte.gz")
            arrays[f"{part}_images"] = images.transpose(0, 2, 1)
            arrays[f"{part}_labels"] = labels - labels.dtype.type(first)
    return arrays


def _array(archive: zipfile.ZipFile, member: str) -> UInt8Array:
    data = archive.read(member)
    return decode_idx(io.BytesIO(data), len(data), member)


SETS = {
    split: Published(
        name=f"emnist-{split}",
        title=f"EMNIST {split}",
        folder="emnist",
        archives=[ARCHIVE],
        read=functools.partial(read, split),
        class_names=tuple(CHARACTERS.get(split, "")),
    )
    for split in SPLITS
}
SOURCES = tuple(of_split.source() for of_split in SETS.values())
