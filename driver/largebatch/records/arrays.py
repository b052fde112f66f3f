"""The trained arrays of a network, by name: cut out of a checkpoint's parameters, and in model.npz."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from largebatch.errors import UserError
from largebatch.files.matrices import Matrix, read_matrix
from largebatch.settings.networks import Network


def read_arrays(parameters: Path, shapes: Path, network: Network) -> dict[str, Matrix]:
    """The network's arrays, in their shapes. Raises UserError if the files don't fit."""
    try:
        weights = read_matrix(parameters)[:, 0]
        sides = read_matrix(shapes)[:, :2]
        if not (np.abs(sides) < 2**31).all():  # nor NaN
            raise ValueError("shapes are no whole numbers")
        sizes = sides.astype(int)
        ends = np.cumsum(sizes.prod(axis=1))
        parts = np.split(weights, ends[:-1])
        triples = zip(network.arrays, parts, sizes, strict=True)
        return {name: part.reshape(size) for name, part, size in triples}
    except (ValueError, OverflowError, IndexError) as error:
        raise UserError(f"the parameters in {parameters.parent} don't fit {shapes}") from error


def write_arrays(file: Path, arrays: Mapping[str, Matrix]) -> None:
    """An .npz file, whole or not at all."""
    part = file.with_name(f".{file.stem}.part.npz")
    part.unlink(missing_ok=True)
    np.savez(part, **arrays)  # type: ignore[arg-type]
    part.replace(file)
