"""The process of a session, as it is watched. All else is tested in real sessions."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from largebatch.engine.log import Log
from largebatch.engine.process import SessionProcess


def test_an_answer_that_came_while_the_program_was_stopped_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = SessionProcess(tmp_path, os.environ, Log(tmp_path / "log.txt"), "")
    reader, writer = os.pipe()
    looks, ours = [0.0], threading.get_ident()

    def stopped_for_an_hour_until_it_answers() -> float:
        if threading.get_ident() == ours:  # another test may have left threads that look, too
            looks.append(looks[-1] + 3600)
            if len(looks) == 3:
                os.write(writer, b"largebatch done\n")
        return looks[-1]

    with monkeypatch.context() as patched, os.fdopen(reader, "rb") as answers:
        patched.setattr(process._process, "stdout", answers)
        patched.setattr(time, "monotonic", stopped_for_an_hour_until_it_answers)
        process.request("java_version", patience=1)
    process.end(gently=False)
    os.close(writer)
    assert len(looks) > 3
