"""matplotlib without any setting of the user's: equal tables must give equal files."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# A notebook's backend may be missing here, and then matplotlib can't be imported.
_backend = os.environ.pop("MPLBACKEND", "")

import matplotlib as mpl  # noqa: E402 - not before the line above

if _backend:
    os.environ["MPLBACKEND"] = _backend
    with contextlib.suppress(ValueError):
        mpl.rcParams["backend"] = _backend  # of the program that calls this one


@contextmanager
def matplotlib_alone(style: Any) -> Iterator[None]:
    """matplotlib's defaults and a style meanwhile, whatever files and variables of the user's say."""
    date = os.environ.pop("SOURCE_DATE_EPOCH", None)  # figures have no date; one that is none would stop them
    try:
        with mpl.rc_context():
            mpl.rcdefaults()
            mpl.rcParams.update(style)
            yield
    finally:
        if date is not None:
            os.environ["SOURCE_DATE_EPOCH"] = date
