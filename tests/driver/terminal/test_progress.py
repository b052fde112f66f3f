"""Progress on a terminal and in a file."""

from __future__ import annotations

import io
import os
import re
import shutil
import sys
from collections.abc import Hashable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from types import SimpleNamespace

import pytest

from largebatch.terminal import progress
from largebatch.terminal.progress import Progress, duration
from largebatch.terminal.say import say
from tests.support.patience import TIMEOUT_S

Clock = list[float]  # its one element is the time


class Terminal(io.StringIO):
    """A terminal that knows its screen, and the most bars that it has shown at a time."""

    most_bars = 0

    def isatty(self) -> bool:
        return True

    def flush(self) -> None:
        self.most_bars = max(self.most_bars, sum("|" in line for line in self.screen()))

    def screen(self) -> list[str]:
        """Lines that aren't empty."""
        lines, row, column = [""], 0, 0
        for part in re.findall(r"\r|\n|\x1b\[A|[^\r\n\x1b]+", self.getvalue()):
            if part == "\r":
                column = 0
            elif part == "\n":
                row, column = row + 1, 0
                lines += [""] * (row - len(lines) + 1)
            elif part == "\x1b[A":
                row -= 1
            else:
                line = lines[row].ljust(column)
                lines[row] = line[:column] + part + line[column + len(part) :]
                column += len(part)
        return [line.rstrip() for line in lines if line.strip()]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that stands until a test moves it, and a wide terminal."""
    now = [1000.0]
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr("tqdm.std.time", lambda: now[0])
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((101, 24)))
    return now


class Gone(Terminal):
    """A terminal whose reader has gone."""

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


def test_updates_that_are_never_made_are_not_waited_for(clock: Clock) -> None:
    """With a protocol that drops gradients: half of the ten updates have come in each epoch."""
    stream = io.StringIO()
    shown = Progress("backup", 2, 20, 0, stream)
    for epoch in (1, 2):
        clock[0] += 10
        shown.epoch(row(epoch, 5 * epoch) | {"dropped": 7.0 * epoch})
    assert [line.split("  ")[2] for line in stream.getvalue().splitlines()] == ["update 5/10", "update 10/10"]
    assert [line.split("  ")[-1] for line in stream.getvalue().splitlines()] == ["10s left", "0s left"]


def test_a_terminal_has_a_bar_that_is_redrawn_at_updates(clock: Clock) -> None:
    stream = Terminal()
    shown = Progress("lars 1024", 2, 10, 0, stream)
    clock[0] += 2
    shown.update(1, 1024, 0.5)
    assert stream.screen() == [
        f"lars 1024  epoch 1/2  |{'##9':29}|  update 1/10, loss 0.5, 512 images/s, 18s left"
    ]
    clock[0] += 2
    shown.update(6, 1024, 0.25)
    assert stream.screen() == [
        f"lars 1024  epoch 2/2  |{'#' * 17 + '4':29}|  update 6/10, loss 0.25, 512 images/s, 3s left"
    ]
    shown.close()
    assert stream.screen() == []


def test_a_terminal_is_not_flooded(clock: Clock) -> None:
    stream = Terminal()
    shown = Progress("lars", 1, 1000, 0, stream)
    for update in range(1, 101):
        clock[0] += 0.01
        shown.update(update, 8, 0.5)
    assert 4 <= stream.getvalue().count("\r") <= 6, "one line per 0.2 s in 1 s"


def test_images_of_updates_that_are_not_shown_count(clock: Clock) -> None:
    stream = Terminal()
    shown = Progress("lars", 1, 10, 0, stream)
    clock[0] += 1
    shown.update(1, 100, 0.5)
    shown.update(2, 100, 0.5)
    clock[0] += 1
    shown.update(3, 100, 0.5)
    assert "150 images/s" in stream.screen()[0]


def test_lines_that_stay_are_above_the_bar(clock: Clock) -> None:
    stream = Terminal()
    shown = Progress("lars", 1, 4, 0, stream)
    clock[0] += 1
    shown.update(1, 8, 0.5)
    shown.note("a remark")
    shown.epoch(row(1, 4))
    note, epoch, update = stream.screen()
    assert update.startswith("lars  epoch 1/1  |")
    assert "update 1/4" in update
    assert note == "a remark"
    assert epoch.startswith("lars  epoch 1/1  update 4/4") and epoch.endswith("0s left")


def test_lines_of_others_are_above_the_bar(clock: Clock) -> None:
    stream = Terminal()
    shown = Progress("lars", 1, 4, 0, stream)
    clock[0] += 1
    shown.update(1, 8, 0.5)
    say("another run failed", stream)
    other, update = stream.screen()
    assert other == "another run failed"
    assert update.startswith("lars  epoch 1/1  |")


@pytest.mark.parametrize("columns", [5, 20, 60])
def test_a_narrow_terminal_never_wraps(clock: Clock, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((columns, 24)))
    stream = Terminal()
    shown = Progress("a long title of a run", 1, 4, 0, stream)
    clock[0] += 1
    shown.update(1, 8, 0.5)
    assert [len(line) for line in stream.screen()] == [columns - 1]


def test_bars_of_several_threads_do_not_disturb_each_other(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "REFRESH_S", 0)
    stream = Terminal()
    runs = [f"run {number} " + "x" * number for number in range(4)]
    all_shown = Barrier(len(runs))

    def train(name: str) -> None:
        shown = Progress(name, 5, 20, 0, stream)
        for update in range(1, 21):
            clock[0] += 0.1
            shown.update(update, 8, 0.5)
            if update == 1:
                all_shown.wait(TIMEOUT_S)
            if update % 5 == 0:
                shown.note(f"{name} {update}")
                say(f"{name} has said {update}", stream)
        shown.close()

    with ThreadPoolExecutor(len(runs)) as pool:
        list(pool.map(train, runs))
    assert stream.most_bars == len(runs)
    wanted = [f"{run} {said}{n}" for run in runs for n in range(5, 21, 5) for said in ("", "has said ")]
    assert sorted(stream.screen()) == sorted(wanted)


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
        epochs.append(stream.screen()[0].split("  ")[1])
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


def test_without_standard_error_nothing_is_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    shown = Progress("lars", 1, 4, 0)
    shown.update(1, 8, 0.5)
    shown.epoch(row(1, 4))
    shown.close()
    assert capsys.readouterr().out == ""
