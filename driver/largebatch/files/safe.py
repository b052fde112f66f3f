"""Files of folders that others may have made: bounded, regular, never through a link, whole or not at all."""

from __future__ import annotations

import codecs
import errno
import json
import os
import secrets
import stat
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from largebatch.errors import UserError

MAX_BYTES = 4 * 2**20  # of a JSON file; a study of 1000 runs has 1
PIECE = 2**16  # bytes to read at a time
MAX_DEPTH = 16
Parsed = TypeVar("Parsed")
_INTEGERS = range(-(2**63), 2**63)


def no_link(path: str, flags: int) -> int:
    """An opener that refuses links, and does not wait for the other end of a pipe."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)


def read_file(path: Path, most: int = MAX_BYTES, *, follow: bool = False) -> bytes:
    """The content of a regular file. Raises OSError, also for other kinds and for more than `most` bytes."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    with os.fdopen(os.open(path, flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "Not a regular file", str(path))
        pieces = iter(lambda: file.read(PIECE), b"")  # read(most) would take memory for all of it at once
        data = b"".join(islice(pieces, most // PIECE + 2))
    if len(data) > most:
        raise OSError(errno.EFBIG, f"Larger than {most} bytes", str(path))
    return data


def read_parsed(
    path: Path, most: int, parse: Callable[[bytes], Parsed], missing: Callable[[], Parsed]
) -> Parsed:
    """What `parse` makes of a file, or `missing` without it.

    Raises UserError for a file that can't be read, and where `parse` raises ValueError: its text continues
    a sentence that begins with the file's name.
    """
    try:
        return parse(read_file(path, most))
    except FileNotFoundError:
        return missing()
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path} {error}") from error


def text_of(data: bytes) -> str:
    """The text in a file of UTF-8, without the byte order mark that some editors put in front.

    Raises ValueError for other encodings.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ValueError("it is text in UTF-16: save it in UTF-8")
    return data.decode("utf-8-sig")  # UnicodeDecodeError is a ValueError


def read_json(path: Path) -> Any:
    """The value in a JSON file. Raises OSError as read_file does, ValueError for what is not sound JSON."""
    try:
        value = json.loads(text_of(read_file(path)), parse_constant=_no_number)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    check_sound(value)
    return value


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number in JSON")


def check_sound(value: Any) -> None:
    """Raises ValueError for what a parser lets through and nobody can use.

    That is deep nesting, integers of more than 64 bits, and half characters, but for those that stand for
    the bytes of a file's name: the program writes them itself.
    """
    level, depth = [value], 0
    while level:
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner += [*item, *item.values()]
            elif isinstance(item, list):
                inner += item
            elif isinstance(item, str):
                item.encode("utf-8", "surrogateescape")  # UnicodeEncodeError is a ValueError
            elif isinstance(item, int) and item not in _INTEGERS:
                raise ValueError("it has an integer of more than 64 bits")
        level, depth = inner, depth + 1
        if depth > MAX_DEPTH:
            raise ValueError("it is nested too deeply")


def readable(value: Any) -> Any:
    """What read_json returned, with "?" for half characters, so that it can be shown and encoded."""
    return json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


def part_of(path: Path) -> Path:
    """Where a file is while its only writer writes it."""
    return path.with_name(f".{path.name}.part")


def write_atomically(path: Path, data: bytes, *, alone: bool = True) -> None:
    """Write a file so that at every moment it is there whole, in its old form or its new one.

    `alone` says that no other process writes it at the same time, as where a folder is locked: what a killed
    writer left behind is then removed. Raises OSError; no partial file remains.
    """
    # Not tempfile: its files are private to the user, a cache may be shared.
    part = part_of(path) if alone else path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    part.unlink(missing_ok=True)  # of a writer that was killed; or a link
    try:
        with part.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
