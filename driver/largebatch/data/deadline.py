"""A limit on the time of work that may wait for someone else for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

from largebatch.errors import RunError
from largebatch.patience import Patience

T = TypeVar("T")


def within(seconds: float, what: str, work: Callable[[], T]) -> T:
    """The result of `work`, or what it raises. Raises RunError if it takes longer than `seconds`.

    The limit holds wherever the work waits: for a name, a connection, a header, a body. The timeouts of
    sockets do not: each begins anew with every byte. Time in which this process was stopped does not count.
    Work that is given up goes on in a thread that holds no process up, so it must be bounded in memory.
    """
    future: Future[T] = Future()

    def carry_out() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # it is raised in the caller's thread
            future.set_exception(error)

    threading.Thread(target=carry_out, name=what, daemon=True).start()
    left = Patience(seconds)
    while True:
        piece = left.piece()
        if wait([future], piece).done:
            return future.result()
        if not piece:
            raise RunError(f"{what} took longer than {seconds:g} s")
