"""Downloads: bounded in time from the first byte of the exchange to the last, and never away from https."""

from __future__ import annotations

import io
import itertools
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from http.client import HTTPMessage
from urllib.error import URLError

import pytest

from largebatch import patience
from largebatch.data import download
from largebatch.data.deadline import within
from largebatch.errors import RunError

OK = b"HTTP/1.1 200 OK\r\n"
# What a mirror sends at once, and what it repeats, a byte at a time, for ever.
TRICKLES = {
    "of the status line": (b"HTTP/1.1 200 ", b"O"),
    "of a header": (OK + b"X-Long: ", b"x"),
    "of more headers": (OK, b"A: b\r\n"),
    "of the size of a chunk": (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
    "of the body": (OK + b"Content-Length: 10000\r\n\r\n", b"x"),
    "of nothing at all": (b"", b""),
}
Serve = Callable[[bytes, bytes], str]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Starts a server that answers each request with some bytes, then trickles others; returns its URL."""
    over = threading.Event()
    server = socket.create_server(("127.0.0.1", 0))
    monkeypatch.setattr(
        download, "_opener", urllib.request.build_opener
    )  # plain http, for a server without TLS

    def answer(start: bytes, repeated: bytes) -> None:
        while not over.is_set():
            with server.accept()[0] as connection:
                connection.recv(4096)
                trickle(connection, start, repeated)

    def trickle(connection: socket.socket, start: bytes, repeated: bytes) -> None:
        try:
            connection.sendall(start.replace(b"PORT", b"%d" % server.getsockname()[1]))
            while not over.wait(0.02) and (repeated or not start):
                connection.sendall(repeated)
        except OSError:
            pass  # the client has gone

    def begin(start: bytes, repeated: bytes) -> str:
        threading.Thread(target=answer, args=(start, repeated), daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}/x"

    yield begin
    over.set()
    server.close()


@pytest.mark.parametrize("case", TRICKLES)
def test_a_mirror_that_trickles_is_given_up(serve: Serve, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    monkeypatch.setattr(download, "FILE_TIMEOUT_S", 0.2)
    with pytest.raises(RunError, match=r"^the file took longer than 0\.2 s$"):
        download.fetch(serve(*TRICKLES[case]), 2**20)


def test_a_mirror_that_redirects_in_a_circle_is_told_in_one_line(serve: Serve) -> None:
    url = serve(
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:PORT/x\r\nContent-Length: 0\r\n"
        b"Connection: close\r\n\r\n",
        b"",
    )
    with pytest.raises(RunError, match=r"^it redirects in a circle, or too often$"):
        download.fetch(url, 2**20)


def test_a_reason_is_one_line_whatever_the_mirror_says(serve: Serve) -> None:
    url = serve(b"HTTP/1.1 503 Busy\x0b now\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", b"")
    with pytest.raises(RunError, match=r"^Busy now$"):
        download.fetch(url, 2**20)


def test_work_in_time_gives_its_result_or_what_it_raises() -> None:
    assert within(60, "the file", lambda: 3) == 3
    for error in (KeyError("x"), TimeoutError("a socket's own")):
        with pytest.raises(type(error)) as caught:
            within(60, "the file", lambda: raise_(error))  # noqa: B023 - called at once
        assert caught.value is error


def test_time_in_which_the_program_was_stopped_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    looks, third = itertools.count(), threading.Event()

    def stopped_for_an_hour_again_and_again() -> float:
        number = next(looks)
        if number == 3:
            third.set()
        return 3600.0 * number

    monkeypatch.setattr(patience, "PIECE_S", 0.01)
    monkeypatch.setattr(time, "monotonic", stopped_for_an_hour_again_and_again)
    assert within(0.5, "the file", third.wait)


def raise_(error: Exception) -> None:
    raise error


@pytest.mark.parametrize("scheme", ["http", "ftp", "data"])
def test_opener_knows_no_other_scheme(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with pytest.raises(RunError, match=f"unknown url type: {scheme}"):
        download.fetch(f"{scheme}://127.0.0.1:9/x", 10)


def test_redirection_cannot_leave_https() -> None:
    handler = urllib.request.HTTPRedirectHandler()
    handler.parent = download._opener()
    request = urllib.request.Request("https://example.org/x")
    request.timeout = 1.0
    for target, message in (
        ("http://127.0.0.1:9/x", "unknown url type: http"),
        ("ftp://127.0.0.1:9/x", "unknown url type: ftp"),
        ("file:///etc/hostname", "is not allowed"),
    ):
        headers = HTTPMessage()
        headers["location"] = target
        with pytest.raises(URLError, match=message):
            handler.http_error_302(request, io.BytesIO(), 302, "Found", headers)
