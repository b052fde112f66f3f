"""Kuzushiji-MNIST (Clanuwat et al. 2018): cursive Japanese characters in MNIST's format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from largebatch.data.archives import Archive, Published
from largebatch.data.dataset import UInt8Array
from largebatch.data.idx import read_idx
from largebatch.terminal.say import Say

_BASES = ("https://codh.rois.ac.jp/kmnist/dataset/kmnist/",)
_FILES = {  # SHA-256 and bytes of the compressed files, as TensorFlow Datasets publishes them
    "train-images-idx3-ubyte.gz": (
        "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
        18165135,
    ),
    "train-labels-idx1-ubyte.gz": (
        "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
        29497,
    ),
    "t10k-images-idx3-ubyte.gz": (
        "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
        3041136,
    ),
    "t10k-labels-idx1-ubyte.gz": (
        "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
        5120,
    ),
}
_ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")


def read(files: Sequence[Path], say: Say) -> dict[str, UInt8Array]:
    """The arrays in the four files."""
    return {name: read_idx(file) for name, file in zip(_ARRAYS, files, strict=True)}


SET = Published(
    name="kmnist",
    title="KMNIST",
    folder="kmnist",
    archives=[Archive(name, sha256, size, _BASES) for name, (sha256, size) in _FILES.items()],
    read=read,
)
SOURCE = SET.source()
