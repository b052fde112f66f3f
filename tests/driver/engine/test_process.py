"""The process of a session, as it is watched. All else is tested in real sessions."""

from __future__ import annotations

import os
import select
import threading
import time
from pathlib import Path

import pytest

from largebatch.engine.log import Log
from largebatch.engine.process import SessionProcess
from largebatch.errors import RunError
from tests.support.patience import TIMEOUT_S


def test_an_answer_that_came_while_the_program_was_stopped_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = SessionProcess(tmp_path, os.environ, Log(tmp_path / "log.txt"), "")
    answers, looks, ours = process._process.stdout, [0.0], threading.get_ident()

    def stopped_for_an_hour_until_it_answers() -> float:
        if threading.get_ident() == ours:  # another test may have left threads that look, too
            looks.append(looks[-1] + 3600)
            if len(looks) == 3:
                assert select.select([answers], [], [], TIMEOUT_S)[0]
        return looks[-1]

    with monkeypatch.context() as patched:
        patched.setattr(time, "monotonic", stopped_for_an_hour_until_it_answers)
        with pytest.raises(RunError) as caught:
            process.request("java_version", patience=1)
    process.end(gently=False)
    assert str(caught.value).startswith("AttributeError: "), "there is no JVM yet"
