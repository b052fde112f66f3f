"""Data sets that are made on this machine, once, and kept in the cache."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from largebatch.data.cache import Arrays, data_cache, made_once
from largebatch.data.dataset import Dataset, Source
from largebatch.terminal.say import Say


@dataclass
class Made:
    """A set that make() makes from what `material` names; shapes() are those of its arrays.

    The arrays have the names that Dataset.from_arrays takes. `recipe` counts up when the bytes change.
    """

    name: str
    title: str
    material: str
    recipe: int
    shapes: Callable[[], Mapping[str, tuple[int, ...]]]
    make: Callable[[], Arrays]

    def source(self, how: str) -> Source:
        """The set's row in the registry; `how` tells users what it is made of."""
        return Source(
            name=self.name, title=self.title, needs_network=False, how=how, find=self._find, load=self._load
        )

    @property
    def _file(self) -> Path:
        return data_cache(self.name) / f"{self.name}-{self.recipe}.npz"

    def _find(self, data_dir: Path | None) -> Path | None:
        return self._file if self._file.is_file() else None

    def _load(self, data_dir: Path | None, download: bool, say: Say) -> Dataset:
        if data_dir is not None:
            say(f"{self.name} is made from {self.material}; {data_dir} is not used")
        arrays = made_once(self._file, self.shapes(), self.make, f"{self.name} from {self.material}", say)
        return Dataset.from_arrays(self.name, self.title, **arrays)
