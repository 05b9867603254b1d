"""A file that is being downloaded, beside the one whose place it takes when it is whole, and only then."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import TYPE_CHECKING

from crane_mirrors.cli._owner import take_over
from crane_mirrors.cli._sources import failure
from crane_mirrors.errors import FileFailed

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["PartFile", "check_target"]

_END = ".part"
_LONGEST_WORD = 120
"""How long a validator may be in base64, so that a name stays below 255 bytes."""


def check_target(path: str) -> str:
    """Give where a file is to be written: what a symbolic link names, not the link. Raises FileFailed."""
    target = os.path.realpath(path)
    if path.endswith(os.sep):
        raise FileFailed(f"{path}: that is a folder; name a file, nothing was written")
    try:
        mode = os.stat(target).st_mode
        if not stat.S_ISREG(mode):
            what = "a folder" if stat.S_ISDIR(mode) else "no regular file"
            raise FileFailed(f"{path}: that is {what}; name a file, nothing was written")
    except FileNotFoundError:
        if not os.path.isdir(os.path.dirname(target)):
            raise FileFailed(f"{path}: no such folder; make it first") from None
    except OSError as error:
        raise failure(error, path) from None
    if not os.access(os.path.dirname(target), os.W_OK | os.X_OK):
        raise FileFailed(f"{path}: the folder cannot be written to; nothing was written")
    return target


class PartFile:
    """What came so far of one address, under a name that says of which answer: ``.NAME.ADDRESS.VALIDATOR.part``.

    Without a validator nobody can continue it, so it goes when the block ends. Everything raises FileFailed.
    """

    def __init__(self, path: str, url: str) -> None:
        """Take the path that a person wrote, and the address."""
        self.path = path
        self.target = check_target(path)
        self.folder, name = os.path.split(self.target)
        key = sha256(url.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        start = f".{_shortened(name)}."
        self._own = f"{start}{key}."
        self._any = re.compile(rf"{re.escape(start)}[0-9a-f]{{16}}\.[\w-]*{re.escape(_END)}", re.ASCII)
        self.length = 0
        self.validator: str | None = None

    def __enter__(self) -> PartFile:
        """Open what is there of this address, or begin."""
        try:
            self._open()
        except OSError as error:
            raise self._failed(error) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Keep what another run can continue, unless it is the wrong file or the disk is full."""
        if self._part and (not self.length or self.validator is None or isinstance(error, FileFailed)):
            self.discard()
        os.close(self._handle)

    def _open(self) -> None:
        there = (name for name in self._there() if name.startswith(self._own))
        self._part = os.path.join(self.folder, min(there, default=f"{self._own}{_END}"))
        while True:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
            self._handle = os.open(self._part, flags, 0o666)
            try:
                self._lock()
                now = os.fstat(self._handle)
                if _is_same(now, self._part):
                    break
            except BaseException:
                os.close(self._handle)
                raise
            os.close(self._handle)
        if not stat.S_ISREG(now.st_mode) or now.st_uid != os.geteuid() or now.st_nlink != 1:
            os.close(self._handle)
            raise FileFailed(f"{self._part}: not ours, and in the way: remove it; nothing was written")
        self.length = os.lseek(self._handle, 0, os.SEEK_END)
        self.validator = _validator(os.path.basename(self._part)[len(self._own) : -len(_END)])
        if self.validator is None:
            self.restart(None)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FileFailed(f"{self.path}: another run is writing it; wait for that, or name another file") from None

    def _there(self) -> list[str]:
        return [name for name in os.listdir(self.folder) if self._any.fullmatch(name)]

    def restart(self, validator: str | None) -> None:
        """Drop all bytes; what follows is of an answer with this validator."""
        word = urlsafe_b64encode((validator or "").encode()).decode().rstrip("=")
        if len(word) > _LONGEST_WORD:
            word = ""
        part = os.path.join(self.folder, f"{self._own}{word}{_END}")
        try:
            # First of all: under its new name the old bytes would pass for the beginning of the new ones. An empty file
            # is left alone: ext4 writes all of one that was cut to nothing to the disk when it is closed.
            if self.length:
                os.ftruncate(self._handle, 0)
                os.lseek(self._handle, 0, os.SEEK_SET)
            if part != self._part:
                os.replace(self._part, part)
        except OSError as error:
            raise self._failed(error) from None
        self._part, self.length, self.validator = part, 0, validator if word else None

    def write(self, chunk: bytes | memoryview) -> None:
        """Append bytes."""
        rest = memoryview(chunk)
        try:
            while rest:
                written = os.write(self._handle, rest)
                self.length += written
                rest = rest[written:]
        except OSError as error:
            raise self._failed(error) from None

    def digest(self) -> str:
        """Give the SHA-256 of what is there, in hexadecimal digits."""
        from hashlib import file_digest

        try:
            with open(self._handle, "rb", closefd=False) as file:
                file.seek(0)
                return file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise self._failed(error) from None

    def discard(self) -> None:
        """Take it away."""
        with contextlib.suppress(OSError):
            os.unlink(self._part)
        self._part = ""

    def finish(self) -> None:
        """Put it into its place, with the old file's mode and owner; what other addresses left behind goes."""
        try:
            with contextlib.suppress(FileNotFoundError):
                before = os.stat(self.target)
                take_over(self._handle, (before.st_uid, before.st_gid), stat.S_IMODE(before.st_mode))
            # Not flushed to the disk before: a kill does no harm, and a file system orders the two by itself.
            os.replace(self._part, self.target)
            self._part = ""
            for name in self._there():
                _remove_abandoned(os.path.join(self.folder, name))
        except OSError as error:
            raise self._failed(error) from None

    def _failed(self, error: OSError) -> FileFailed:
        return FileFailed(f"{self.path}: {(error.strerror or str(error)).lower()}; nothing was written")


def _shortened(name: str) -> str:
    encoded = os.fsencode(name)
    return name if len(encoded) <= 64 else sha256(encoded).hexdigest()[:32]


def _is_same(now: os.stat_result, path: str) -> bool:
    """Whether a path still names the file that was opened: another run may have put that into its place."""
    try:
        there = os.lstat(path)
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (now.st_dev, now.st_ino)


def _validator(word: str) -> str | None:
    try:
        return urlsafe_b64decode(word + "=" * (-len(word) % 4)).decode("ascii") or None
    except ValueError:
        return None


def _remove_abandoned(path: str) -> None:
    """Remove what no run is writing at the moment."""
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(path)
        finally:
            os.close(handle)
