"""Progress on a terminal and in a file."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Hashable
from types import SimpleNamespace

import pytest

from largebatch.terminal import progress
from largebatch.terminal.progress import Progress, duration

CLEAR = "\r\x1b[K"
Clock = list[float]  # its one element is the time


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that stands until a test moves it, and a wide terminal."""
    now = [1000.0]
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((200, 24)))
    return now


class Gone(Terminal):
    """A terminal, or a pipe, that nobody reads any more."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_a_reader_who_has_gone_does_not_stop_a_run(clock: Clock) -> None:
    progress = Progress("x", 2, 4, 0, Gone())
    clock[0] += 1
    progress.update(1, 10, 0.5)
    progress.note("text")
    progress.epoch(row(1, 2))
    progress.close()


def row(epoch: int, updates: int) -> dict[Hashable, float]:
    return {
        "epoch": epoch,
        "updates": updates,
        "train_loss": 0.123456,
        "train_accuracy": 0.98765,
        "test_accuracy": 0.9,
        "images_per_second": 1234.6,
    }


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.4, "0s"),
        (42, "42s"),
        (59.4, "59s"),
        (59.6, "1m00s"),
        (185, "3m05s"),
        (3599, "59m59s"),
        (3599.7, "1h00m"),
        (3725, "1h02m"),
        (100 * 3600, "100h00m"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_file_gets_a_line_per_epoch_and_note_and_none_per_update(clock: Clock) -> None:
    stream = io.StringIO()
    shown = Progress("lars 1024", 2, 10, 0, stream)
    shown.note("a remark")
    for update in range(1, 6):
        clock[0] += 3
        shown.update(update, 1024, 0.5)
    shown.epoch(row(1, 5))
    shown.close()
    assert stream.getvalue() == (
        "a remark\n"
        "lars 1024  epoch 1/2  update 5/10  loss 0.1235  train 98.77%  test 90.00%  1235 images/s  15s left\n"
    )


def test_a_terminal_rewrites_one_line_per_update(clock: Clock) -> None:
    stream = Terminal()
    shown = Progress("lars 1024", 2, 10, 0, stream)
    clock[0] += 2
    shown.update(1, 1024, 0.5)
    clock[0] += 2
    shown.update(6, 1024, 0.25)
    assert stream.getvalue() == (
        f"{CLEAR}lars 1024  epoch 1/2  update 1/10  loss 0.5  512 images/s  18s left"
        f"{CLEAR}lars 1024  epoch 2/2  update 6/10  loss 0.25  512 images/s  3s left"
    )
    shown.close()
    assert stream.getvalue().endswith(CLEAR)


def test_a_terminal_is_not_flooded(clock: Clock) -> None:
    stream = Terminal()
    shown = Progress("lars", 1, 1000, 0, stream)
    for update in range(1, 101):
        clock[0] += 0.01
        shown.update(update, 8, 0.5)
    assert 4 <= stream.getvalue().count(CLEAR) <= 6, "one line per 0.2 s in 1 s"


def test_images_of_updates_that_are_not_shown_count(clock: Clock) -> None:
    stream = Terminal()
    shown = Progress("lars", 1, 10, 0, stream)
    clock[0] += 1
    shown.update(1, 100, 0.5)
    shown.update(2, 100, 0.5)
    clock[0] += 1
    shown.update(3, 100, 0.5)
    assert "150 images/s" in stream.getvalue().rpartition(CLEAR)[2]


def test_lines_that_stay_clear_the_line_that_is_rewritten(clock: Clock) -> None:
    stream = Terminal()
    shown = Progress("lars", 1, 4, 0, stream)
    clock[0] += 1
    shown.update(1, 8, 0.5)
    shown.note("a remark")
    shown.epoch(row(1, 4))
    _, update, note, epoch = stream.getvalue().split(CLEAR)
    assert update.startswith("lars  epoch 1/1  update 1/4")
    assert note == "a remark\n"
    assert epoch.startswith("lars  epoch 1/1  update 4/4") and epoch.endswith("0s left\n")


def test_a_narrow_terminal_never_wraps(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((20, 24)))
    stream = Terminal()
    shown = Progress("a long title of a run", 1, 4, 0, stream)
    clock[0] += 1
    shown.update(1, 8, 0.5)
    assert len(stream.getvalue().removeprefix(CLEAR)) == 19


def test_a_resumed_run_judges_time_by_its_own_updates(clock: Clock) -> None:
    stream = io.StringIO()
    shown = Progress("lars", 4, 40, 20, stream)
    clock[0] += 10
    shown.epoch(row(3, 30))
    assert stream.getvalue().endswith(" 10s left\n")


def test_epochs_are_counted_from_1_and_end_with_their_last_update(clock: Clock) -> None:
    epochs = []
    for update in (1, 5, 6, 10):
        stream = Terminal()
        shown = Progress("lars", 2, 10, 0, stream)
        clock[0] += 1
        shown.update(update, 8, 0.5)
        epochs.append(stream.getvalue().split("  ")[1])
    assert epochs == ["epoch 1/2", "epoch 1/2", "epoch 2/2", "epoch 2/2"]


def test_a_loss_that_is_not_a_number_is_shown(clock: Clock) -> None:
    stream = io.StringIO()
    Progress("lars", 1, 4, 0, stream).epoch(row(1, 4) | {"train_loss": float("nan")})
    assert "loss nan" in stream.getvalue()


def test_progress_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    Progress("lars", 1, 4, 0).note("a remark")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "a remark\n")
    assert not sys.stderr.closed
