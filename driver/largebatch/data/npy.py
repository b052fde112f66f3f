"""Headers of .npy files, which are read before any value."""

from __future__ import annotations

from typing import IO

import numpy as np

from largebatch.errors import UserError


def read_header(file: IO[bytes], shown: str) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    """Shape, whether in Fortran order, and type of a .npy file; the file then stands at the values.

    Raises UserError for anything else; it calls the file by the name `shown`.
    """
    try:
        # Later versions, with headers of up to 4 GiB, are for structured types alone.
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError("its version is not 1.0")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        if any(side >= 2**63 for side in shape):
            raise ValueError("its header announces more values than there can be")
        return shape, fortran, dtype
    except Exception as error:  # NumPy's parser lets many types out for a damaged header
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(f"{shown} is not a .npy file of plain numbers: {reason}") from error
