"""The bar that a stream can show, and its size."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import shutil
import struct
import subprocess
import sys
import termios
from types import ModuleType

import pytest
from tqdm.notebook import tqdm_notebook

from largebatch.terminal import bars


@pytest.mark.parametrize("size", [(70, 20), (0, 0)])
def test_the_size_is_that_of_the_terminal_itself_if_it_has_one(size: tuple[int, int]) -> None:
    ours, its = pty.openpty()
    with os.fdopen(its, "w") as stream, os.fdopen(ours):
        fcntl.ioctl(stream, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        assert bars._size(stream) == (size if size[0] else shutil.get_terminal_size())


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook's process, as far as tqdm looks at it; its output is no terminal."""
    monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
    monkeypatch.setattr(sys, "stderr", io.StringIO())


@pytest.mark.usefixtures("kernel")
@pytest.mark.filterwarnings("error")
def test_a_notebook_that_has_no_widgets_gets_lines_and_no_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bars, "find_spec", lambda name: None)
    assert bars.bar_for(sys.stderr) is None


@pytest.mark.usefixtures("kernel")
@pytest.mark.filterwarnings("error")
def test_a_notebook_that_has_widgets_gets_their_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bars, "find_spec", lambda name: name)
    monkeypatch.setattr("tqdm.auto.tqdm", tqdm_notebook)
    assert bars.bar_for(sys.stderr) is tqdm_notebook
    assert bars.bar_for(io.StringIO()) is None, "a file stays a file"


@pytest.mark.parametrize("given", ["TQDM_MININTERVAL=often", "TQDM_NCOLS=wide"])
def test_variables_that_tqdm_cannot_read_stop_no_command(given: str) -> None:
    command = [sys.executable, "-c", "from largebatch.terminal import progress"]
    variables = dict([given.split("=")])
    done = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, check=False)
    assert done.stderr == ""
