"""Download of files over https, bounded in time and size."""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Callable, Sequence
from http.client import HTTPException
from typing import IO
from urllib.error import URLError

import largebatch
from largebatch.data.deadline import within
from largebatch.errors import RunError, UserError
from largebatch.terminal.say import Say

MIRROR_VARIABLE = "LARGEBATCH_MIRROR"
SOCKET_TIMEOUT_S = 20.0  # to connect, and for each read
FILE_TIMEOUT_S = 600.0  # for the whole exchange about one file, from the name of its host to its last byte
SLOWEST = 1 << 17  # bytes per second that a large file must come with
_CHUNK = 1 << 16


def mirrors(public: Sequence[str]) -> tuple[str, ...]:
    """Base URLs to try in order: $LARGEBATCH_MIRROR alone if it is set, else the public ones.

    Raises UserError if the variable holds neither an https:// nor a file:// URL.
    """
    own = os.environ.get(MIRROR_VARIABLE, "").strip()
    if not own:
        return tuple(public)
    if not own.lower().startswith(("https://", "file://")):
        raise UserError(f"${MIRROR_VARIABLE} is {own!r}; it must begin with https:// or file://")
    return (own,)


def fetch(url: str, max_bytes: int) -> bytes:
    """The content of an https:// or file:// URL.

    Raises RunError, with the reason alone, if it can't be had within the limits of time and size.
    """
    try:
        return within(FILE_TIMEOUT_S, "the file", lambda: _fetch(url, max_bytes))
    except URLError as error:  # HTTPError included
        raise RunError(_reason(error)) from error
    except (OSError, HTTPException, ValueError) as error:  # ValueError: malformed URL
        raise RunError(_one_line(error)) from error


def save(url: str, file: IO[bytes], size: int) -> None:
    """The content of an https:// or file:// URL, of at most `size` bytes, into a file, with a bar.

    Raises RunError as `fetch` does; large files have more time.
    """
    from largebatch.terminal.bars import Bar

    limit = max(FILE_TIMEOUT_S, size / SLOWEST)
    with Bar(total=size, unit="B", unit_scale=True, disable=None) as bar:  # disabled unless on a terminal

        def write(chunk: bytes) -> None:
            file.write(chunk)
            bar.update(len(chunk))

        try:
            within(limit, "the file", lambda: _receive(url, size, write))
        except URLError as error:
            raise RunError(_reason(error)) from error
        except (OSError, HTTPException, ValueError) as error:
            raise RunError(_one_line(error)) from error


def _fetch(url: str, max_bytes: int) -> bytes:
    data = bytearray()
    _receive(url, max_bytes, data.extend)
    return bytes(data)


def _receive(url: str, max_bytes: int, write: Callable[[bytes], object]) -> None:
    received = 0
    with _opener().open(url, timeout=SOCKET_TIMEOUT_S) as response:
        while chunk := response.read1(_CHUNK):
            received += len(chunk)
            if received > max_bytes:
                raise RunError(f"the file is larger than {max_bytes} bytes")
            write(chunk)


def _reason(error: URLError) -> str:
    reason = getattr(error, "reason", error)
    if urllib.request.HTTPRedirectHandler.inf_msg.strip() in str(reason):
        return "it redirects in a circle, or too often"
    return _one_line(reason)


def _one_line(reason: object) -> str:
    return " ".join(str(reason).split()) or type(reason).__name__


def _opener() -> urllib.request.OpenerDirector:
    """Opener without a handler for http or ftp: no redirection can leave https."""
    proxies = {scheme: url for scheme, url in urllib.request.getproxies().items() if scheme == "https"}
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(proxies),
        urllib.request.HTTPSHandler(),
        urllib.request.FileHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    opener.addheaders = [
        ("User-Agent", f"largebatch/{largebatch.__version__}")
    ]  # some hosts refuse Python's own
    return opener


def fetch_from_any(
    name: str, bases: Sequence[str], max_bytes: int, check: Callable[[bytes, str], object], say: Say
) -> bytes:
    """File `name` from the first of the base URLs that gives a sound copy.

    check(data, url) raises UserError for a copy that isn't sound. Raises RunError if no mirror has one.
    """
    failures = []
    for base in bases:
        url = f"{base.rstrip('/')}/{name}"
        say(f"downloading {url}")
        try:
            data = fetch(url, max_bytes)
            check(data, url)
        except (RunError, UserError) as error:
            failures.append(f"{base} ({error})")
        else:
            return data
    raise RunError(f"{name} could not be downloaded from {' or '.join(failures)}")
