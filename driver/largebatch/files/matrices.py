"""Matrices in files: what SystemDS writes as CSV."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]


def read_matrix(path: Path) -> Matrix:
    """A matrix that SystemDS wrote as CSV, every double exactly. Raises ValueError and OSError."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an empty file is refused below
        matrix = np.loadtxt(path, delimiter=",", ndmin=2, dtype=np.float64)
    if not matrix.size:
        raise ValueError(f"{path} is empty")
    return matrix
