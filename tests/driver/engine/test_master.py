"""Spark's masters: how many slots they have, and whether they answer."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable

import pytest

from largebatch.engine import master
from largebatch.engine.master import choose_master, is_here, reach, standalone_addresses
from largebatch.errors import RunError, UserError


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


@pytest.mark.parametrize(
    ("master", "workers", "url"),
    [
        (None, 4, "local[4]"),
        (None, 1, "local[1]"),
        ("local", 1, "local"),
        ("local[4]", 4, "local[4]"),
        ("local[16]", 4, "local[16]"),
        ("local[*]", 2, "local[*]"),
        ("local[8,2]", 8, "local[8,2]"),
        ("local-cluster[2,2,1024]", 4, "local-cluster[2,2,1024]"),
        ("local-cluster[ 4 , 1 , 512 ]", 4, "local-cluster[ 4 , 1 , 512 ]"),
        ("spark://host:7077", 64, "spark://host:7077"),
        ("yarn", 64, "yarn"),
        ("k8s://https://host:6443", 64, "k8s://https://host:6443"),
    ],
)
def test_masters_with_enough_slots_are_taken_as_they_are(master: str | None, workers: int, url: str) -> None:
    chosen = choose_master(master, workers)
    assert (chosen.url, chosen.remark) == (url, "")


@pytest.mark.parametrize(
    ("master", "slots"), [("local", 1), ("local[2]", 2), ("local[0]", 0), ("local[*]", 2), ("local[3,2]", 3)]
)
def test_local_masters_are_raised_to_the_workers_and_it_is_said(master: str, slots: int) -> None:
    chosen = choose_master(master, 4)
    assert chosen.url == "local[4]"
    assert f"{master} has {slots} slots for 4 workers" in chosen.remark
    assert "raised to local[4]" in chosen.remark


@pytest.mark.parametrize("master", ["local-cluster[3,1,1024]", "local-cluster[1,3,1024]"])
def test_a_local_cluster_with_too_few_slots_is_refused_with_one_that_would_do(master: str) -> None:
    with pytest.raises(UserError, match=r"has 3 slots for --workers 4.*take local-cluster\[4,1,1024\]"):
        choose_master(master, 4)
    assert choose_master("local-cluster[4,1,1024]", 4).remark == ""


@pytest.mark.parametrize(
    "master",
    ["", "nonsense", "local[]", "local[x]", "local[2", "yarn-client", "local-cluster[4,1]", "host:7077"],
)
def test_other_masters_are_refused(master: str) -> None:
    with pytest.raises(UserError, match="is not understood; use "):
        choose_master(master, 4)


@pytest.mark.parametrize("master", [f"local[{'9' * 5000}]", f"local-cluster[{'9' * 5000},1,1]"])
def test_a_number_of_slots_that_is_none_is_refused(master: str) -> None:
    with pytest.raises(UserError, match="is not understood"):
        choose_master(master, 4)


def test_addresses_of_masters() -> None:
    assert standalone_addresses("spark://a:1,b:2") == [("a", 1), ("b", 2)]
    assert standalone_addresses("spark://[::1]:7077") == [("::1", 7077)]
    assert standalone_addresses("spark://a") == [("a", 7077)]
    assert standalone_addresses("yarn") == []


class Clock:
    """Time that passes while something sleeps, and then something happens."""

    def __init__(self, happens: Callable[[], object] = lambda: None) -> None:
        self.now = 0.0
        self._happens = happens

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self._happens()


@pytest.fixture
def port() -> int:
    """A port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        number: int = server.getsockname()[1]
    return number


def test_a_master_that_comes_up_late_is_waited_for(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with contextlib.ExitStack() as stack:
        clock = Clock(lambda: stack.enter_context(socket.create_server(("127.0.0.1", port))))
        monkeypatch.setattr(master, "time", clock)
        reach(f"spark://127.0.0.1:{port}", 30.0)
    assert clock.now > 0


def test_a_master_that_does_not_come_is_not_waited_for_longer(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(master, "time", clock)
    with pytest.raises(RunError, match=f"nothing answers at spark://127.0.0.1:{port}: "):
        reach(f"spark://127.0.0.1:{port}", 2.0)
    assert 2.0 < clock.now < 3.0
    reach("local[4]", 0.0)


@pytest.mark.parametrize(
    ("master", "here"),
    [
        *(
            (master, True)
            for master in ("local", "local[4]", "local-cluster[2,1,512]", "spark://127.0.0.1:7077")
        ),
        *((master, True) for master in ("spark://localhost:7077", "spark://[::1]:7077")),
        ("spark://host:7077", False),
        ("yarn", False),
    ],
)
def test_masters_on_this_machine_are_known(master: str, here: bool) -> None:
    assert is_here(master) is here
