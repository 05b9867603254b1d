"""A compiled catalogue kept on disk, so that the next call need not read YAML.

A cache file holds the catalogue files it was made of, byte for byte, a stamp of the code that read them, and their
compiled form with a checksum. It counts only when all of these still are the same and the checksum fits; anything
else is as if it were not there. The folder belongs to the user alone, a file is written under another name and then
renamed, and a failure to read or write one is never an error.
"""

from __future__ import annotations

import os
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    Sources = Sequence[tuple[str, bytes]]

__all__ = ["code_stamp", "load", "store"]

KEEP = 16
"""How many cache files are kept; older ones are removed when a new one is written."""

MAX_BYTES = 256 * 2**20
_SUFFIX, _NEW = ".catalogue", ".new-"


def code_stamp(*folders: str) -> bytes:
    """Give a text that changes whenever a file in these folders of code does: names, sizes and times of change."""
    stamp: list[str] = []
    for folder in folders:
        with os.scandir(folder) as files:
            for file in sorted(files, key=lambda entry: entry.name):
                if file.name.endswith(".py"):
                    status = file.stat()
                    stamp.append(f"{file.name} {status.st_size} {status.st_mtime_ns}")
    return " ".join(stamp).encode()


def load(folder: str, maker: bytes, sources: Sources) -> bytes | None:
    """Give the compiled form of exactly these files (name, bytes), made by this code; None if there is none."""
    head = _head(maker, sources)
    try:
        if not _private(os.lstat(folder)):
            return None
        # What stands in a file's place may be a pipe, which must not keep anybody waiting.
        handle = os.open(_path(folder, head), os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return _read(handle, head)
    except OSError:
        return None
    finally:
        os.close(handle)


def _read(handle: int, head: bytes) -> bytes | None:
    status = os.fstat(handle)
    if not _private(status) or status.st_size > MAX_BYTES:
        return None
    with open(handle, "rb", closefd=False) as file:
        if file.read(len(head)) != head:
            return None
        checksum, compiled = file.read(8), file.read()
    return compiled if checksum == _checksum(compiled) else None


def store(folder: str, maker: bytes, sources: Sources, compiled: bytes) -> None:
    """Keep a compiled form; where that fails, nothing happens."""
    import tempfile

    head = _head(maker, sources)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        if not _private(os.lstat(folder)):
            return
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=_NEW)
        try:
            with open(handle, "wb") as file:
                file.write(head + _checksum(compiled) + compiled)
            os.replace(temporary, _path(folder, head))
        except BaseException:
            os.unlink(temporary)
            raise
        _prune(folder)
    except OSError:
        return


def _head(maker: bytes, sources: Sources) -> bytes:
    parts = [b"crane-mirrors catalogue " + maker + b"\n"]
    for name, data in sources:
        label = name.encode("utf-8", "surrogateescape")
        parts += [b"%d %d\n" % (len(label), len(data)), label, data]
    return b"".join(parts) + b"\n"


def _path(folder: str, head: bytes) -> str:
    return os.path.join(folder, f"{zlib.crc32(head):08x}{_SUFFIX}")


def _checksum(compiled: bytes) -> bytes:
    return b"%08x" % zlib.crc32(compiled)


def _private(status: os.stat_result) -> bool:
    return not hasattr(os, "getuid") or (status.st_uid == os.getuid() and not status.st_mode & 0o022)


def _prune(folder: str) -> None:
    with os.scandir(folder) as found:
        # A library's caller may have named a folder with files of their own.
        ours = [entry for entry in found if entry.name.endswith(_SUFFIX) or entry.name.startswith(_NEW)]
    ours = [entry for entry in ours if entry.is_file(follow_symlinks=False)]
    for entry in sorted(ours, key=lambda entry: -entry.stat().st_mtime)[KEEP:]:
        os.unlink(entry.path)
