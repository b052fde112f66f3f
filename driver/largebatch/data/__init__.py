"""Data sets by name. A new one is a file with a SOURCE and a row in SOURCES."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from largebatch.data import digits, fashion_mnist, idx_folder, mnist
from largebatch.data.dataset import Dataset, Source
from largebatch.errors import RunError, UserError
from largebatch.terminal.say import Say

__all__ = ["SOURCES", "CatalogEntry", "Dataset", "Source", "catalog", "load", "obtain"]

SOURCES = {
    source.name: source
    for source in (
        mnist.SOURCE,
        fashion_mnist.SOURCE,
        digits.SOURCE,
        idx_folder.SOURCE,
    )
}


@dataclass(frozen=True)
class CatalogEntry:
    """A data set as listed to the user; `where` is a path, or "not here" with the reason if there is one."""

    name: str
    title: str
    needs_network: bool
    where: str
    how: str


def _silent(message: str) -> None:
    pass


def _source(name: str) -> Source:
    try:
        return SOURCES[name]
    except KeyError:
        raise UserError(f"there is no data set {name!r}; there are {', '.join(SOURCES)}") from None


def load(name: str, data_dir: Path | None = None, *, download: bool = True, say: Say = _silent) -> Dataset:
    """The data set `name`, from `data_dir` if given, else from where it is found or made.

    Raises UserError for unknown names and unusable files, RunError for a download that failed.
    """
    return _source(name).load(data_dir, download, say)


def catalog() -> list[CatalogEntry]:
    """All data sets, and where each was found; no data is read."""
    return [CatalogEntry(s.name, s.title, s.needs_network, _where(s), s.how) for s in SOURCES.values()]


def _where(source: Source) -> str:
    try:
        return str(source.find(None) or "not here")
    except UserError as error:
        return f"not here: {error}"


def obtain(name: str, data_dir: Path | None = None, say: Say = _silent) -> Path:
    """Download, make or find the data set, and check it; returns its file or folder.

    Raises as `load` does, and RunError if the cache can't be written.
    """
    source = _source(name)
    source.load(data_dir, True, say)
    where = source.find(data_dir)
    if where is None:
        raise RunError(f"the data set {name} could not be kept; $XDG_CACHE_HOME moves the cache elsewhere")
    return where
