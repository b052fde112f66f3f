"""The lines of a session's process."""

from __future__ import annotations

import sys

import pytest

from largebatch.engine.systemds import answer


class Channel:
    def __init__(self) -> None:
        self.written: list[str] = []

    def write(self, text: str) -> None:
        self.written.append(text)

    def flush(self) -> None:
        pass


def test_an_answer_is_written_at_once_so_that_no_line_of_the_jvm_comes_in_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    channel = Channel()
    monkeypatch.setattr(sys, "stdout", channel)
    answer("done")
    answer("failed", "a cause")
    assert channel.written == ["largebatch done\n", "largebatch failed a cause\n"]
