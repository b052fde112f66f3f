"""DML under test: runs it in a real SystemDS session and exchanges matrices by CSV files."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from largebatch.engine.session import Session
from largebatch.files.matrices import read_matrix
from largebatch.files.names import Argument

PROGRAMS = Path(__file__).parents[1] / "dml" / "programs"
Matrix = npt.NDArray[np.float64]


def write_matrix(path: Path, values: npt.ArrayLike) -> None:
    """A matrix as SystemDS reads it: CSV with every digit, and its description."""
    matrix = np.atleast_2d(np.asarray(values, dtype=np.float64))
    np.savetxt(path, matrix, delimiter=",", fmt="%.17g")
    rows, cols = matrix.shape
    path.with_name(path.name + ".mtd").write_text(
        f'{{"data_type": "matrix", "value_type": "double", "format": "csv", "header": false, '
        f'"sep": ",", "rows": {rows}, "cols": {cols}}}'
    )


class DML:
    """A session in which programs of tests/dml/programs, and those of dml/, run."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def call(
        self,
        program: str,
        matrices: Mapping[str, npt.ArrayLike],
        outputs: tuple[str, ...],
        **arguments: Argument,
    ) -> dict[str, Matrix]:
        """Run tests/dml/programs/PROGRAM with $folder holding the matrices, and read its outputs there."""
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            for name, values in matrices.items():
                write_matrix(folder / name, values)
            self.session.run(str(PROGRAMS / program), {"folder": str(folder), **arguments})
            return {name: read_matrix(folder / name) for name in outputs}

    def train(self, **arguments: Any) -> list[str]:
        """Run dml/train.dml; returns the lines it reported."""
        lines: list[str] = []
        self.session.run("train.dml", arguments, on_line=lines.append)
        return lines
