"""Download of small files over https, bounded in time and size."""

from __future__ import annotations

import os
import time
import urllib.request
from collections.abc import Callable, Sequence
from http.client import HTTPException
from urllib.error import URLError

from largebatch.errors import RunError, UserError
from largebatch.terminal.say import Say

MIRROR_VARIABLE = "LARGEBATCH_MIRROR"
SOCKET_TIMEOUT_S = 20.0  # to connect, and for each read
FILE_TIMEOUT_S = 600.0  # for the whole of one file
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
        return _fetch(url, max_bytes)
    except URLError as error:  # HTTPError included
        raise RunError(str(getattr(error, "reason", error))) from error
    except (OSError, HTTPException, ValueError) as error:  # ValueError: malformed URL
        raise RunError(str(error) or type(error).__name__) from error


def _fetch(url: str, max_bytes: int) -> bytes:
    end = time.monotonic() + FILE_TIMEOUT_S
    data = bytearray()
    with _opener().open(url, timeout=SOCKET_TIMEOUT_S) as response:
        # read1 returns after one packet, so that a trickling server meets the overall limit.
        while chunk := response.read1(_CHUNK):
            data += chunk
            if len(data) > max_bytes:
                raise RunError(f"the file is larger than {max_bytes} bytes")
            if time.monotonic() > end:
                raise RunError(f"the file took longer than {FILE_TIMEOUT_S:.0f} s")
    return bytes(data)


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
