"""Data sets by name, or by a path. A new one is a file with a SOURCE and a row in SOURCES."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from largebatch.data import (
    cifar,
    digits,
    emnist,
    fashion_mnist,
    idx_folder,
    kmnist,
    mnist,
    patches,
    svhn,
)
from largebatch.data.dataset import Dataset, Reading, Source
from largebatch.data.paths import is_path, refuse_options, short_name
from largebatch.errors import RunError, UserError
from largebatch.terminal.say import Say

__all__ = ["SOURCES", "CatalogEntry", "Dataset", "Source", "catalog", "load", "obtain"]

AS_IT_IS = Reading()
SOURCES = {
    source.name: source
    for source in (
        mnist.SOURCE,
        fashion_mnist.SOURCE,
        kmnist.SOURCE,
        *emnist.SOURCES,
        *cifar.SOURCES,
        svhn.SOURCE,
        digits.SOURCE,
        patches.SOURCE,
        idx_folder.SOURCE,
    )
}


@dataclass(frozen=True)
class CatalogEntry:
    """A data set as listed to the user; `where` is a path or "not here", `problem` says why."""

    name: str
    title: str
    needs_network: bool
    where: str
    how: str
    problem: str = ""


def _silent(message: str) -> None:
    pass


def _source(name: str) -> Source:
    try:
        return SOURCES[name]
    except KeyError:
        path = f"; write ./{name} for the path" if Path(name).exists() else ""
        raise UserError(f"there is no data set {name!r}; there are {', '.join(SOURCES)}{path}") from None


def load(
    name: str,
    data_dir: Path | None = None,
    *,
    reading: Reading = AS_IT_IS,
    download: bool = True,
    say: Say = _silent,
) -> Dataset:
    """The data set `name`, from `data_dir` if given, else from where it is found or made; or that of a path.

    Raises UserError for unknown names and unusable files, RunError for a download that failed.
    """
    if is_path(name):
        from largebatch.data.by_path import load_path

        return load_path(data_dir or Path(name), short_name(Path(name)), reading, say)
    source = _source(name)
    refuse_options(reading, (), f"the data set {name}")
    return source.load(data_dir, download, say)


def catalog() -> list[CatalogEntry]:
    """All data sets, and where each was found; no data is read."""
    return [_entry(source) for source in SOURCES.values()]


def _entry(source: Source) -> CatalogEntry:
    where, problem = None, ""
    try:
        where = source.find(None)
    except UserError as error:
        problem = str(error)
    return CatalogEntry(
        source.name, source.title, source.needs_network, str(where or "not here"), source.how, problem
    )


def obtain(name: str, data_dir: Path | None = None, say: Say = _silent) -> Path:
    """Download, make or find the data set, and check it; returns its file or folder.

    Raises as `load` does, and RunError if the cache can't be written.
    """
    if is_path(name):
        return data_dir or Path(name)
    source = _source(name)
    source.load(data_dir, True, say)
    where = source.find(data_dir)
    if where is None:
        raise RunError(f"the data set {name} could not be kept; $XDG_CACHE_HOME moves the cache elsewhere")
    return where
