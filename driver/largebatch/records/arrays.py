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


def read_moments(file: Path, arrays: Mapping[str, Matrix], network: Network) -> dict[str, Matrix]:
    """Running mean and variance of each batch normalisation, of the shape of its scale: (filters, 1).

    The file has all means, then all variances. Raises UserError if it doesn't fit.
    """
    sizes = [len(arrays[f"{norm}.weight"]) for norm in network.norms]
    try:
        parts = np.split(read_matrix(file).reshape(2, sum(sizes)), np.cumsum(sizes)[:-1], axis=1)
    except (ValueError, OverflowError) as error:
        raise UserError(f"{file} doesn't fit the network") from error
    return {
        f"{norm}.running_{kind}": part[row].reshape(-1, 1)
        for norm, part in zip(network.norms, parts, strict=True)
        for row, kind in enumerate(("mean", "var"))
    }


def moments_row(arrays: Mapping[str, Matrix], network: Network) -> Matrix:
    """The inverse of `read_moments`: a row of all means, then all variances."""
    names = [f"{norm}.running_{kind}" for kind in ("mean", "var") for norm in network.norms]
    return np.concatenate([arrays[name].ravel() for name in names])[None]


def write_arrays(file: Path, arrays: Mapping[str, Matrix]) -> None:
    """An .npz file, whole or not at all."""
    part = file.with_name(f".{file.stem}.part.npz")
    part.unlink(missing_ok=True)
    np.savez(part, **arrays)  # type: ignore[arg-type]
    part.replace(file)
