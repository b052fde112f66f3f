"""The process of a session, as it is watched. All else is tested in real sessions."""

from __future__ import annotations

import itertools
import os
import select
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
    process, looks = SessionProcess(tmp_path, os.environ, Log(tmp_path / "log.txt"), ""), itertools.count()
    answers = process._process.stdout

    def stopped_for_an_hour_until_it_answers() -> float:
        number = next(looks)
        if number == 1:
            assert select.select([answers], [], [], TIMEOUT_S)[0]
        return 3600.0 * number

    with monkeypatch.context() as patched:
        patched.setattr(time, "monotonic", stopped_for_an_hour_until_it_answers)
        with pytest.raises(RunError) as caught:
            process.request("java_version", patience=1)
    process.end(gently=False)
    assert str(caught.value).startswith("AttributeError: "), "there is no JVM yet"
