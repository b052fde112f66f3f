"""Finding OpenBLAS, and the folder it is loaded from."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from largebatch.engine import openblas
from largebatch.engine.openblas import Native, better_kernels, find_native, kernels, linked_folder
from largebatch.errors import RunError, UserError

INSTALLED = find_native()
AVX512 = "avx512f avx512dq avx512cd avx512bw avx512vl"


@pytest.fixture(autouse=True)
def libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder with libraries on this machine, still empty; ldconfig lists nothing."""
    folder = tmp_path / "lib"
    folder.mkdir()
    monkeypatch.delenv("LARGEBATCH_OPENBLAS", raising=False)
    monkeypatch.setattr(openblas, "LIBRARY_FOLDERS", (str(folder),))
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    ldconfig(tmp_path, monkeypatch, "")
    return folder


def ldconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listing: str) -> None:
    """Make `ldconfig -p` print the listing."""
    command = tmp_path / "bin" / "ldconfig"
    command.parent.mkdir(exist_ok=True)
    (tmp_path / "listing").write_text(listing)
    command.write_text(f"#!/bin/sh\nwhile IFS= read -r line; do echo \"$line\"; done <'{tmp_path}/listing'\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(command.parent))


def put(folder: Path, *names: str) -> None:
    """Files in place of libraries."""
    for name in names:
        (folder / name).write_bytes(b"\x7fELF")


def test_nothing_here(tmp_path: Path) -> None:
    assert find_native() == Native(None, None, True)
    assert linked_folder(tmp_path / "cache") is None
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("name", ["libopenblas.so", "libopenblas.so.0"])
def test_link_to_what_was_found(tmp_path: Path, libraries: Path, name: str) -> None:
    put(libraries, name, "libgomp.so.1")
    folder = linked_folder(tmp_path / "cache")
    assert folder is not None
    assert folder.is_relative_to(tmp_path / "cache")
    assert (folder / "libopenblas.so").readlink() == libraries / name


def test_repeating_changes_nothing(tmp_path: Path, libraries: Path) -> None:
    put(libraries, "libopenblas.so.0", "libgomp.so.1")
    folder = linked_folder(tmp_path)
    assert folder is not None
    before = (folder / "libopenblas.so").lstat()
    assert linked_folder(tmp_path) == folder
    assert (folder / "libopenblas.so").lstat() == before
    assert [path.name for path in folder.iterdir()] == ["libopenblas.so"]


def test_stale_link_is_replaced(tmp_path: Path, libraries: Path) -> None:
    put(libraries, "libopenblas.so.0", "libgomp.so.1")
    (tmp_path / "native").mkdir()
    (tmp_path / "native" / "libopenblas.so").symlink_to(tmp_path / "gone")
    assert linked_folder(tmp_path) == tmp_path / "native"
    assert (tmp_path / "native" / "libopenblas.so").readlink() == libraries / "libopenblas.so.0"


def test_both_libraries_are_needed(tmp_path: Path, libraries: Path) -> None:
    put(libraries, "libopenblas.so.0")
    assert linked_folder(tmp_path) is None


def test_other_platforms_have_no_bridge(
    tmp_path: Path, libraries: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(libraries, "libopenblas.so.0", "libgomp.so.1")
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert not find_native().supported
    assert linked_folder(tmp_path) is None


def test_linker_cache_comes_before_folders(
    tmp_path: Path, libraries: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(libraries, "libopenblas.so.0", "libgomp.so.1")
    put(tmp_path, "first", "second", "small")
    listing = (
        "3 libs found in cache `/etc/ld.so.cache'\n"
        f"\tlibopenblas.so.0 (libc6) => {tmp_path}/small\n"
        f"\tlibopenblas.so.0 (libc6,x86-64) => {tmp_path}/first\n"
        f"\tlibopenblas.so.0 (libc6,x86-64) => {tmp_path}/second\n"
        f"\tlibgomp.so.1 (libc6,x86-64) => {tmp_path}/removed\n"
    )
    ldconfig(tmp_path, monkeypatch, listing)
    assert find_native() == Native(tmp_path / "first", libraries / "libgomp.so.1", True)


@pytest.mark.parametrize("value", ["", "lib of mine.so"], ids=["folder", "file"])
def test_named_by_the_user(
    tmp_path: Path, libraries: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    put(libraries, "libopenblas.so.0", "libgomp.so.1")
    own = tmp_path / "own"
    own.mkdir()
    put(own, value or "libopenblas.so.0")
    monkeypatch.setenv("LARGEBATCH_OPENBLAS", str(own / value))
    assert find_native().openblas == own / (value or "libopenblas.so.0")


def test_named_but_absent(tmp_path: Path, libraries: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(libraries, "libopenblas.so.0", "libgomp.so.1")
    monkeypatch.setenv("LARGEBATCH_OPENBLAS", str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match=r"\$LARGEBATCH_OPENBLAS is '.*nowhere'.*unset it"):
        linked_folder(tmp_path)


def test_cache_that_cannot_be_written(tmp_path: Path, libraries: Path) -> None:
    put(libraries, "libopenblas.so.0", "libgomp.so.1")
    (tmp_path / "cache").write_text("a file in the way")
    with pytest.raises(RunError, match="cannot be written"):
        linked_folder(tmp_path / "cache")


@pytest.mark.skipif(not INSTALLED.usable, reason="OpenBLAS was not found")
def test_openblas_tells_its_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openblas, "find_native", lambda: INSTALLED)
    assert kernels({"OPENBLAS_CORETYPE": "Nehalem"}) == "Nehalem"


def test_a_file_that_is_no_library_tells_no_kernels(libraries: Path) -> None:
    assert kernels({}) is None
    put(libraries, "libopenblas.so", "libgomp.so.1")
    assert kernels({}) is None
    assert better_kernels({}) == {}


@pytest.mark.parametrize(
    ("taken", "flags", "better"),
    [
        ("Prescott", f"sse2 fma avx2 {AVX512}", {"OPENBLAS_CORETYPE": "SkylakeX"}),
        ("Prescott", "sse2 fma avx2 avx512f", {"OPENBLAS_CORETYPE": "Haswell"}),
        ("Prescott", "sse2 pni", {}),
        ("Zen", f"sse2 fma avx2 {AVX512}", {}),
        (None, f"sse2 fma avx2 {AVX512}", {}),
    ],
)
def test_better_kernels_only_for_a_cpu_that_openblas_does_not_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: str | None, flags: str, better: dict[str, str]
) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nvmx flags\t: avx2\nflags\t\t: {flags}\n\n" * 2)
    monkeypatch.setattr(openblas, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(openblas, "kernels", lambda environment: taken)
    assert better_kernels({}) == better
    assert better_kernels({"OPENBLAS_CORETYPE": "Prescott"}) == {}
