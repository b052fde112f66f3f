"""How another thread ends a running session."""

from __future__ import annotations

import socket
import threading


class StoppedError(Exception):
    """A session's Stop was set. This is not a failure of the program that ran."""


class Stop:
    """Ends all sessions that were given it, for good. Any thread may set it."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._receiver, self._sender = socket.socketpair()

    def set(self) -> None:
        """Make sessions raise StoppedError: those that run, and those that start later."""
        self._event.set()
        self._sender.send(b"!")  # never read, so that every session sees it

    def is_set(self) -> bool:
        """Whether `set` was called."""
        return self._event.is_set()

    def fileno(self) -> int:
        """A file descriptor that becomes readable when the stop is set."""
        return self._receiver.fileno()

    def close(self) -> None:
        """Free the descriptors; call it after the last session."""
        self._receiver.close()
        self._sender.close()
