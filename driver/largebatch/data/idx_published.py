"""Sets of four IDX files whose content is published: MNIST, and sets of its format."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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

_PROVIDE = (
    f"name a folder with the four files by --data-dir or ${FOLDER_VARIABLE}, "
    f"or another mirror by ${MIRROR_VARIABLE}"
)
_OTHERWISE = "fetch it again, or use the data set idx for other images"


@dataclass
class PublishedIdx:
    """A set of four IDX files.

    `files` has, for each part, its array's shape, and the SHA-256 of its content, decompressed: mirrors
    compress differently. No compressed file has more than `max_download` bytes, together they have `size`.
    """

    name: str
    title: str
    mirrors: Sequence[str]
    files: Mapping[str, tuple[tuple[int, ...], str]]
    max_download: int
    size: str
    class_names: tuple[str, ...] = ()

    def source(self) -> Source:
        """The set's row in the registry."""
        return Source(
            name=self.name,
            title=self.title,
            needs_network=True,
            how=f"downloaded on first use ({self.size}); without a network, {_PROVIDE}",
            find=self._find,
            load=self._load,
        )

    def _check_shape(self, part: str, shape: tuple[int, ...], shown: str) -> None:
        """Raises UserError for another shape than the set's."""
        wanted, _ = self.files[part]
        if shape != wanted:
            raise UserError(
                f"{shown} is not {self.title}'s {spellings(part)[0]}: its header announces "
                f"{times(shape)} bytes, expected {times(wanted)}; {_OTHERWISE}"
            )

    def _check(self, part: str, array: UInt8Array, shown: str) -> UInt8Array:
        """The array itself; raises UserError unless it is, with its header, the set's file to the byte."""
        _, wanted = self.files[part]
        digest = hashlib.sha256(idx_header(array.shape))
        digest.update(array.data)
        if digest.hexdigest() != wanted:
            raise UserError(
                f"{shown} is not {self.title}'s {spellings(part)[0]}: the SHA-256 of its content is "
                f"{digest.hexdigest()}, expected {wanted}; {_OTHERWISE}"
            )
        return array

    def _read(self, part: str, path: Path) -> UInt8Array:
        """One part from a file. Raises UserError unless it is the set's; other shapes are not read."""
        array = read_idx(path, lambda shape: self._check_shape(part, shape, str(path)))
        return self._check(part, array, str(path))

    def _read_user_file(self, folder: Path, part: str) -> UInt8Array:
        return self._read(part, find_part(folder, part) or folder / spellings(part)[0])

    def _read_cached(self, part: str, download: bool, say: Say) -> UInt8Array:
        """One part from the cache, downloaded into it first if it is absent or damaged there."""
        path = data_cache(self.name) / _file_name(part)
        try:
            return self._read(part, path)
        except UserError as error:
            if not download:
                raise UserError(f"{self.title} is not on this machine ({error}); {_PROVIDE}") from error
            if path.exists():
                say(str(error))
        data = self._download(part, say)
        write_cached(path, data)
        return self._decode(part, data, str(path))

    def _download(self, part: str, say: Say) -> bytes:
        """The compressed file of one part, checked. Raises RunError if no mirror has it."""
        try:
            return fetch_from_any(
                _file_name(part),
                mirrors(self.mirrors),
                self.max_download,
                lambda data, url: self._decode(part, data, url),
                say,
            )
        except RunError as error:
            raise RunError(f"{error}; {_PROVIDE}") from error

    def _decode(self, part: str, data: bytes, shown: str) -> UInt8Array:
        array = decode_idx(
            io.BytesIO(data), len(data), shown, lambda shape: self._check_shape(part, shape, shown)
        )
        return self._check(part, array, shown)

    def _find(self, data_dir: Path | None) -> Path | None:
        cache = data_cache(self.name)
        return user_folder(self.name, data_dir) or (None if missing(cache) else cache)

    def _load(self, data_dir: Path | None, download: bool, say: Say) -> Dataset:
        folder = user_folder(self.name, data_dir)
        if folder is None and (why := passed_over()):
            say(why)
        say(f"reading {self.title} from {folder or data_cache(self.name)}")
        if folder is not None:
            arrays = {part: self._read_user_file(folder, part) for part in PARTS}
        else:
            arrays = {part: self._read_cached(part, download, say) for part in PARTS}
        return replace(Dataset.from_arrays(self.name, self.title, **arrays), class_names=self.class_names)


def _file_name(part: str) -> str:
    return f"{spellings(part)[0]}.gz"
