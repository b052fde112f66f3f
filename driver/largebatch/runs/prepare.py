"""Data sets in SystemDS' binary format, written once per set into the user's cache."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np

from largebatch.data import Dataset
from largebatch.data.dataset import Part, PreparedData
from largebatch.data.stored import Array
from largebatch.engine.session import Session
from largebatch.errors import RunError
from largebatch.files.places import cache_dir
from largebatch.settings.execution import Execution

LAYOUT = 1  # raise it when the files' contents change
SIZES = "sizes.json"  # of all other files; the contents of each have a checksum beside them that is read


def prepared_folder(dataset: Dataset, home: Path | None = None) -> Path:
    """Where the prepared files of a data set lie, or will lie: in `home`, by default in the user's cache."""
    return (home or cache_dir() / "prepared") / f"{dataset.name}-{dataset.fingerprint[:16]}-{LAYOUT}"


def prepare(dataset: Dataset, session: Session, home: Path | None = None) -> PreparedData:
    """The prepared files of a data set, made now if they aren't there yet, or not whole.

    Each image becomes a row of numbers: channel by channel, and in each channel pixel row by pixel row.
    Labels become classes 1..C. `home` is as in prepared_folder. Raises RunError if the files can't be written
    or the session fails.
    """
    folder = prepared_folder(dataset, home)
    data = PreparedData(folder, dataset.images, tuple(dataset.parts))
    if is_whole(folder):
        return data
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            made = Path(temporary) / "made"
            _write(dataset, session, made)
            (made / SIZES).write_text(json.dumps(_sizes(made)))
            if folder.is_dir() and not is_whole(folder):
                folder.replace(Path(temporary) / "damaged")
            _publish(made, folder)
    except OSError as error:
        raise RunError(f"{folder} cannot be written: {error.strerror or error}") from error
    return data


def prepare_alone(dataset: Dataset, execution: Execution, workers: int) -> PreparedData:
    """The same in a session of its own, for running train.dml without this program."""
    log = cache_dir() / "prepare.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with Session(execution, workers, log) as session:
        return prepare(dataset, session)


def is_whole(folder: Path) -> bool:
    """Whether all files that were prepared are there, none of them cut short."""
    try:
        return bool(json.loads((folder / SIZES).read_text()) == _sizes(folder))
    except (OSError, ValueError):
        return False


def _sizes(folder: Path) -> dict[str, int]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != SIZES)
    return {str(path.relative_to(folder)): path.stat().st_size for path in files}


def _write(dataset: Dataset, session: Session, folder: Path) -> None:
    """The matrices of each part, each by way of a .npy file."""
    folder.mkdir()
    array_file = folder / "array.npy"
    for name, part in dataset.parts.items():
        for kind, array in _matrices(part).items():
            np.save(array_file, array)
            session.convert(array_file, folder / f"{name}_{kind}")
    array_file.unlink()


def _matrices(part: Part) -> dict[str, Array]:
    """X as rows, of shape (N, channels*height*width), and the classes, of shape (N, 1)."""
    rows = np.asarray(part.X).reshape(len(part), -1)
    return {"images": rows, "labels": part.y.astype(np.float64).reshape(-1, 1) + 1}


def _publish(made: Path, folder: Path) -> None:
    """Rename into place; another process may have been faster, with the same files."""
    try:
        made.replace(folder)
    except OSError:
        if not folder.is_dir():
            raise
        shutil.rmtree(made)
