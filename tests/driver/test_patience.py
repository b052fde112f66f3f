"""Waiting: time in which the process was stopped does not count."""

from __future__ import annotations

import time

import pytest

from largebatch.patience import PIECE_S, Patience


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


def test_patience_ends_after_its_time_in_pieces(clock: Clock) -> None:
    patience, waited = Patience(5.5), 0.0
    while piece := patience.piece():
        assert piece <= PIECE_S
        waited += piece
        clock.now += piece
    assert waited == 5.5


def test_a_pause_does_not_count(clock: Clock) -> None:
    patience = Patience(60)
    clock.now += 3600  # stopped, as by SIGSTOP
    assert patience.piece() == PIECE_S
    clock.now += 30 * PIECE_S
    assert patience.piece() == PIECE_S


def test_a_sign_of_life_renews_it(clock: Clock) -> None:
    patience = Patience(1.5)
    clock.now += 1
    assert patience.piece() == 0.5
    patience.renew()
    clock.now += 1
    assert patience.piece() == 0.5
