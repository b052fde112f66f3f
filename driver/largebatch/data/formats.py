"""What a file is, by its first bytes: for messages about files of another kind than the one expected."""

from __future__ import annotations

GZIP = b"\x1f\x8b"

# First bytes, and what a file that begins with them is; the first that fits counts.
_KINDS = (
    (b"PK\x03\x04", "a zip archive, such as .npz: unpack it first"),
    (b"PK\x05\x06", "a zip archive, and an empty one"),
    (GZIP, "gzipped twice: unpack it once"),
    (b"\x93NUMPY", "a .npy file"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"BM", "a BMP image"),
    (b"II*\0", "a TIFF image"),
    (b"MM\0*", "a TIFF image"),
    (b"BZh", "compressed by bzip2: unpack it first"),
    (b"\xfd7zXZ", "compressed by xz: unpack it first"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd: unpack it first"),
    (b"7z\xbc\xaf", "a 7z archive: unpack it first"),
    (b"Rar!", "a RAR archive: unpack it first"),
    (b"PAR1", "a Parquet file"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x80\x02", "a pickle, which is never read here: it could run any program"),
    (b"\x80\x03", "a pickle, which is never read here: it could run any program"),
    (b"\x80\x04", "a pickle, which is never read here: it could run any program"),
    (b"\x80\x05", "a pickle, which is never read here: it could run any program"),
    (b"\xef\xbb\xbf", "a text, or an editor has put a byte order mark before it: fetch the file again"),
    (b"version https://git-lfs", "a pointer of Git LFS: fetch the file itself by `git lfs pull`"),
)
_PAGES = (b"<!doctype", b"<html", b"<?xml", b"<head")
_TAR, _TAR_AT = b"ustar", 257  # behind the name and the rights of the archive's first file
MOST_NEEDED = _TAR_AT + len(_TAR)


def what_it_is(start: bytes) -> str:
    """The end of a sentence "X is not a ... file", from the file's first bytes (MOST_NEEDED are enough)."""
    for known, kind in _KINDS:
        if start.startswith(known):
            return f"; it is {kind}"
    if start.lstrip().lower().startswith(_PAGES):
        return "; it is a web page, perhaps a mirror's complaint: fetch the file again"
    if start[_TAR_AT:].startswith(_TAR):
        return "; it is a tar archive: unpack it first"
    return f": it begins with {start[:4].hex()}"
