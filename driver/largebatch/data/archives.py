"""Published sets whose files have published checksums: found, or downloaded through pooch."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from largebatch.data.cache import data_cache
from largebatch.data.dataset import Dataset, Source, UInt8Array
from largebatch.data.download import MIRROR_VARIABLE, mirrors, save
from largebatch.data.idx_folder import FOLDER_VARIABLE, named_folder
from largebatch.errors import RunError, UserError
from largebatch.terminal.say import Say

Read = Callable[[Sequence[Path], Say], dict[str, UInt8Array]]


@dataclass(frozen=True)
class Archive:
    """A file as it is published: the SHA-256 of its bytes, their number, and the addresses of its folder."""

    name: str
    sha256: str
    size: int
    bases: tuple[str, ...]


@dataclass
class Published:
    """A set made of archives; sets may share them, and then the name of their `folder`.

    read(paths, say) makes the arrays, by the names that Dataset.from_arrays takes, from the checked files.
    """

    name: str
    title: str
    folder: str
    archives: Sequence[Archive]
    read: Read
    class_names: tuple[str, ...] = ()

    def source(self) -> Source:
        """The set's row in the registry."""
        size = sum(archive.size for archive in self.archives)
        return Source(
            name=self.name,
            title=self.title,
            needs_network=True,
            how=f"downloaded on first use ({size / 1e6:.0f} MB); without a network, {self._provide}",
            find=self._find,
            load=self._load,
        )

    @property
    def _provide(self) -> str:
        names = " and ".join(archive.name for archive in self.archives)
        return (
            f"name a folder with {names} by --data-dir or ${FOLDER_VARIABLE}, "
            f"or a mirror by ${MIRROR_VARIABLE}"
        )

    def _find(self, data_dir: Path | None) -> Path | None:
        """The folder that has all archives: the user's, else the cache."""
        top = named_folder(data_dir)
        mine = [] if top is None else [top / self.folder, top]
        for folder in [*mine, *([data_cache(self.folder)] if data_dir is None else [])]:
            if all((folder / archive.name).is_file() for archive in self.archives):
                return folder
        if data_dir is not None:
            lacking = ", ".join(a.name for a in self.archives if not (data_dir / a.name).is_file())
            raise UserError(f"{data_dir} lacks {lacking}")
        return None

    def _load(self, data_dir: Path | None, download: bool, say: Say) -> Dataset:
        folder = self._find(data_dir) or data_cache(self.folder)
        if folder == data_cache(self.folder):
            files = [self._cached(archive, download, say) for archive in self.archives]
        else:
            files = [_checked(folder / archive.name, archive) for archive in self.archives]
        say(f"reading {self.title} from {folder}")
        found = Dataset.from_arrays(self.name, self.title, **self.read(files, say))
        return replace(found, class_names=self.class_names)

    def _cached(self, archive: Archive, download: bool, say: Say) -> Path:
        """An archive in the cache, downloaded into it first if it is absent or damaged there."""
        file = data_cache(self.folder) / archive.name
        try:
            return _checked(file, archive)
        except UserError as error:
            if not download:
                raise UserError(f"{self.title} is not on this machine ({error}); {self._provide}") from error
            if file.exists():
                say(str(error))
        failures = []
        for base in self._bases(archive):
            try:
                return _retrieve(f"{base.rstrip('/')}/{archive.name}", file, archive, say)
            except RunError as error:
                failures.append(f"{base} ({error})")
        where = " or ".join(failures)
        raise RunError(f"{archive.name} could not be downloaded from {where}; {self._provide}")

    def _bases(self, archive: Archive) -> list[str]:
        if not os.environ.get(MIRROR_VARIABLE, "").strip():
            return list(archive.bases)
        (own,) = mirrors(())
        return [f"{own.rstrip('/')}/{self.folder}", own]


def _checked(file: Path, archive: Archive) -> Path:
    """The file itself; raises UserError unless it is the archive to the byte."""
    try:
        with file.open("rb") as stored:
            found = hashlib.file_digest(stored, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror or error}") from error
    if found != archive.sha256:
        raise UserError(
            f"{file} is not {archive.name} as it was published: its SHA-256 is {found}, "
            f"expected {archive.sha256}; fetch it again"
        )
    return file


def _retrieve(url: str, file: Path, archive: Archive, say: Say) -> Path:
    """Download an archive into the cache: whole and checked, or not at all."""
    import pooch

    pooch.get_logger().setLevel(logging.WARNING)

    def download(url: str, target: str, _: object) -> None:
        with Path(target).open("wb") as stored:
            save(url, stored, archive.size)

    say(f"downloading {url} ({archive.size / 1e6:.0f} MB)")
    try:
        pooch.retrieve(url, f"sha256:{archive.sha256}", file.name, file.parent, downloader=download)
    except ValueError as error:  # another hash
        raise RunError("its SHA-256 is not the published one") from error
    except OSError as error:
        raise RunError(
            f"{file} cannot be written: {error.strerror or error}; $XDG_CACHE_HOME moves the cache elsewhere"
        ) from error
    return file
