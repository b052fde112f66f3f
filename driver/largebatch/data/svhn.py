"""SVHN (Netzer et al. 2011): house numbers, cropped to a digit, in colour, 32 x 32 pixels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from largebatch.data.archives import Archive, Published
from largebatch.data.dataset import UInt8Array
from largebatch.terminal.say import Say

_BASES = ("https://ufldl.stanford.edu/housenumbers/",)
_PARTS = ("train", "test")


def read(files: Sequence[Path], say: Say) -> dict[str, UInt8Array]:
    """The arrays in MATLAB's files: images (32, 32, 3, N), and labels of which 10 stands for the digit 0."""
    from scipy.io import loadmat

    say("SVHN calls the digit 0 a 10: it becomes the class 0")
    arrays = {}
    for part, file in zip(_PARTS, files, strict=True):
        stored = loadmat(file, variable_names=("X", "y"))
        arrays[f"{part}_images"] = stored["X"].transpose(3, 2, 0, 1)
        arrays[f"{part}_labels"] = stored["y"][:, 0] % 10
    return arrays


SET = Published(
    name="svhn",
    title="SVHN",
    folder="svhn",
    archives=[  # SHA-256 and bytes as TensorFlow Datasets has them
        Archive(
            "train_32x32.mat",
            "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
            182040794,
            _BASES,
        ),
        Archive(
            "test_32x32.mat",
            "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
            64275384,
            _BASES,
        ),
    ],
    read=read,
)
SOURCE = SET.source()
