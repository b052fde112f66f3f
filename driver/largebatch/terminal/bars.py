"""Progress bars of tqdm: which one a stream can show, and lines written beside bars."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import threading
from importlib.util import find_spec
from typing import Any, TextIO

try:
    from tqdm import tqdm
except ValueError:  # a variable of its own has no number where one is wanted
    for _name in [name for name in os.environ if name.startswith("TQDM_")]:
        del os.environ[_name]
    from tqdm import tqdm


class Bar(tqdm):  # type: ignore[type-arg]  # tqdm takes none at run time
    """A bar on a terminal. Several bars, of several threads, stand below each other."""

    monitor_interval = 0  # no thread that redraws: every update may

    def display(self, msg: str | None = None, pos: int | None = None) -> Any:
        """Draw the bar within the terminal's present width. A reader who has gone is no error."""
        columns, lines = _size(self.fp)
        self.ncols, self.nrows = columns - 1, lines - 1
        with contextlib.suppress(BrokenPipeError):
            return super().display(msg, pos)


# tqdm's own lock also holds between processes and takes a semaphore of the system.
LOCK = threading.RLock()
Bar.set_lock(LOCK)


def bar_for(stream: TextIO | None) -> type[tqdm[Any]] | None:
    """The bar that the stream can show: None for a file, a pipe or a closed channel."""
    if stream is None:
        return None
    if stream is sys.stderr and (widget := _notebook_bar()):
        return widget
    return Bar if stream.isatty() else None


def _notebook_bar() -> type[tqdm[Any]] | None:
    if "ipykernel" not in sys.modules or not find_spec("ipywidgets"):  # tqdm warns if that is missing
        return None
    from tqdm.auto import tqdm as chosen
    from tqdm.notebook import tqdm_notebook

    return chosen if issubclass(chosen, tqdm_notebook) else None


def _size(stream: TextIO) -> tuple[int, int]:
    """Columns and lines. Terminals of some programs report 0."""
    with contextlib.suppress(OSError, ValueError):
        size = os.get_terminal_size(stream.fileno())
        if min(size) > 0:
            return size
    return shutil.get_terminal_size()
