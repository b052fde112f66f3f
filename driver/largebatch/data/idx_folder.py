"""The data set "idx": a folder of IDX files, with images of any size and any number of classes.

Two files are for training; two more are for testing, or absent.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import product
from pathlib import Path

from largebatch.data.dataset import Contents, Dataset, Format, Reading, Source, UInt8Array
from largebatch.data.idx import CheckShape, any_shape, read_idx, times
from largebatch.errors import UserError
from largebatch.files.names import why_no_folder
from largebatch.terminal.say import Say

FOLDER_VARIABLE = "LARGEBATCH_DATA"

# Array of the set: (accepted first words, rest of the name).
_PARTS = {
    "train_images": (("train",), "images", "idx3-ubyte"),
    "train_labels": (("train",), "labels", "idx1-ubyte"),
    "test_images": (("t10k", "test"), "images", "idx3-ubyte"),
    "test_labels": (("t10k", "test"), "labels", "idx1-ubyte"),
}
TRAIN_PARTS, TEST_PARTS = ("train_images", "train_labels"), ("test_images", "test_labels")
PARTS = (*TRAIN_PARTS, *TEST_PARTS)


def spellings(part: str) -> list[str]:
    """File names under which a part is looked for, the usual one first."""
    words, what, kind = _PARTS[part]
    return [
        f"{word}-{what}{dot}{kind}{suffix}" for word, dot, suffix in product(words, ("-", "."), ("", ".gz"))
    ]


def find_part(folder: Path, part: str) -> Path | None:
    """The file of one part, e.g. "train_images", or None."""
    return next((folder / name for name in spellings(part) if _is(folder / name, Path.is_file)), None)


def missing(folder: Path, *, needs_test: bool = True) -> list[str]:
    """Usual names of files that the folder lacks; both test files may be absent where they aren't needed."""
    absent = [part for part in PARTS if find_part(folder, part) is None]
    if not needs_test and absent == list(TEST_PARTS):
        return []
    return [spellings(part)[0] for part in absent]


def user_folder(name: str, data_dir: Path | None, *, needs_test: bool = True) -> Path | None:
    """Folder of the set's files that the user named by --data-dir, else by $LARGEBATCH_DATA, or None.

    Either may name the files' folder or the one above a folder `name`. The variable may lack this set, since
    one folder serves several. Raises UserError if either is no folder, or --data-dir lacks files.
    """
    top = named_folder(data_dir)
    if top is None:
        return None
    # Other sets have files of the same names: the variable must name their folder, or the one above it.
    named = data_dir is not None or name in ("mnist", "idx") or top.name == name
    for folder in (top / name, top) if named else (top / name,):
        if not missing(folder, needs_test=needs_test):
            return folder
    if data_dir is not None:
        raise UserError(_lacks(str(data_dir), data_dir, needs_test))
    return None


def passed_over(*, needs_test: bool = True) -> str:
    """Why `user_folder` found nothing, if $LARGEBATCH_DATA is set: the folder that it names lacks files."""
    top = named_folder(None)
    return "" if top is None else _lacks(f"{top}, named by ${FOLDER_VARIABLE},", top, needs_test)


def _lacks(shown: str, folder: Path, needs_test: bool) -> str:
    lacking = ", ".join(missing(folder, needs_test=needs_test))
    return f"{shown} lacks {lacking} (each may be gzipped and end in .gz)"


def named_folder(data_dir: Path | None) -> Path | None:
    """The folder that the user named. Raises UserError if it is none."""
    variable = os.environ.get(FOLDER_VARIABLE, "")
    text = str(data_dir) if data_dir is not None else variable
    if not text:
        return None
    if not _is(Path(text), Path.is_dir):
        where = "--data-dir" if data_dir is not None else f"${FOLDER_VARIABLE}"
        raise UserError(f"{text!r}, named by {where}, is not a folder: {why_no_folder(text)}")
    return Path(text)


def read_pair(
    images_path: Path, labels_path: Path, check_images: CheckShape = any_shape
) -> tuple[UInt8Array, UInt8Array]:
    """Images (N, height, width) and their labels (N,).

    Raises UserError if they don't belong together, and what check_images(shape) raises: before any value of
    the file in question is read.
    """

    def check_image_shape(shape: tuple[int, ...]) -> None:
        if len(shape) != 3:
            raise UserError(f"{images_path} has {len(shape)} dimensions; images need 3: count, height, width")
        check_images(shape)

    images = read_idx(images_path, check_image_shape)

    def check_label_shape(shape: tuple[int, ...]) -> None:
        if len(shape) != 1:
            raise UserError(f"{labels_path} has {len(shape)} dimensions; labels need 1: count")
        if shape[0] != len(images):
            raise UserError(f"{images_path} has {len(images)} images but {labels_path} has {shape[0]} labels")

    return images, read_idx(labels_path, check_label_shape)


def read_folder(folder: Path, name: str, title: str) -> Dataset:
    """The set in a folder, without a test part if it has no files of one.

    Raises UserError for damaged or unlike files.
    """
    files = {part: find_part(folder, part) or folder / spellings(part)[0] for part in PARTS}
    arrays = dict(zip(TRAIN_PARTS, read_pair(files["train_images"], files["train_labels"]), strict=True))
    if not any(find_part(folder, part) for part in TEST_PARTS):
        return Dataset.from_arrays(name, title, **arrays)

    def check_test_images(shape: tuple[int, ...]) -> None:
        wanted = arrays["train_images"].shape
        if shape[1:] != wanted[1:]:
            raise UserError(
                f"{files['train_images']} has images of {times(wanted[1:])} pixels but "
                f"{files['test_images']} of {times(shape[1:])}; both parts need the same size"
            )

    test = read_pair(files["test_images"], files["test_labels"], check_test_images)
    return Dataset.from_arrays(name, title, **arrays, **dict(zip(TEST_PARTS, test, strict=True)))


def _is(path: Path, kind: Callable[[Path], bool]) -> bool:
    try:
        return kind(path)
    except OSError:  # e.g. a folder that may not be searched
        return False


def _find(data_dir: Path | None) -> Path | None:
    return user_folder("idx", data_dir, needs_test=False)


def _load(data_dir: Path | None, download: bool, say: Say) -> Dataset:
    folder = _find(data_dir)
    if folder is None:
        raise UserError(
            passed_over(needs_test=False)
            or f"the data set idx is read from a folder with {', '.join(spellings(p)[0] for p in PARTS)}; "
            f"name it by --data-dir or ${FOLDER_VARIABLE}"
        )
    without = ", which has no test files: nothing is tested" if missing(folder) else ""
    say(f"reading {folder}{without}")
    return read_folder(folder, "idx", f"IDX folder {folder.resolve().name}")


def _read_parts(path: Path, reading: Reading, say: Say) -> Contents:
    found = read_folder(path, "idx", path.name).parts
    return Contents({name: (part.X, part.y) for name, part in found.items()})


FORMAT = Format("IDX files", lambda path: find_part(path, "train_images") is not None, _read_parts)
SOURCE = Source(
    name="idx",
    title="IDX folder",
    needs_network=False,
    how=f"name a folder of IDX files by --data-dir or ${FOLDER_VARIABLE}",
    find=_find,
    load=_load,
)
