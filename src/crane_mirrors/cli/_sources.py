"""Read files and the standard input, and replace a file: the old one or the new one, never half of one."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import sys
import tempfile
from io import BytesIO
from typing import TYPE_CHECKING

from crane_mirrors.cli._owner import take_over
from crane_mirrors.errors import FileFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import IO

    Read = Callable[[int], bytes]

__all__ = ["failure", "replace_file", "source"]


def failure(error: OSError, path: str) -> FileFailed:
    """Say in one line which file could not be read or written, and why."""
    return FileFailed(f"{error.filename or path}: {(error.strerror or str(error)).lower()}")


@contextlib.contextmanager
def source(path: str, *, several: bool) -> Iterator[Callable[[], Read]]:
    """Open a file, or the standard input for ``-``; what is given begins to read, with ``several`` each time anew.

    What cannot be read again, such as a pipe, is kept in a temporary file then. Raises FileFailed, and so does reading.
    """
    with contextlib.ExitStack() as stack:
        try:
            file = _opened(path, stack)
            if several and not file.seekable():
                kept = stack.enter_context(tempfile.SpooledTemporaryFile(2**20))
                shutil.copyfileobj(file, kept)
                file = kept
        except OSError as error:
            raise failure(error, path) from None

        def begin() -> Read:
            if several:
                file.seek(0)
            return _reading(file, path)

        yield begin


def _opened(path: str, stack: contextlib.ExitStack) -> IO[bytes]:
    if path != "-":
        return stack.enter_context(open(path, "rb"))
    return sys.stdin.buffer if sys.stdin else BytesIO()


def _reading(file: IO[bytes], path: str) -> Read:
    def read(size: int) -> bytes:
        try:
            return file.read(size)
        except OSError as error:
            raise failure(error, path) from None

    return read


def replace_file(path: str, write: Callable[[IO[bytes], IO[bytes]], object]) -> None:
    """Let ``write(old, new)`` make the new contents, then put them in the place of the old; mode and owner stay.

    A symbolic link stays one: the file that it names is replaced. Raises FileFailed when that cannot be done, is no
    regular file, or changed meanwhile; the old file is untouched then.
    """
    try:
        _replace(path, os.path.realpath(path), write)
    except OSError as error:
        raise FileFailed(f"{path}: {(error.strerror or str(error)).lower()}; nothing was written") from None


def _replace(path: str, target: str, write: Callable[[IO[bytes], IO[bytes]], object]) -> None:
    # Before it is opened: opening a FIFO waits for whoever writes to it.
    if not stat.S_ISREG(os.stat(target).st_mode):
        raise FileFailed(f"{path}: not a regular file; nothing was written")
    with open(target, "rb") as old:
        before = os.fstat(old.fileno())
        handle, temporary = tempfile.mkstemp(dir=os.path.dirname(target), prefix=f".{os.path.basename(target)[:64]}.")
        try:
            with open(handle, "wb") as new:
                write(old, new)
                new.flush()
                take_over(new.fileno(), (before.st_uid, before.st_gid), stat.S_IMODE(before.st_mode))
                os.fsync(new.fileno())
            now = os.stat(target)
            if (now.st_ino, now.st_size, now.st_mtime_ns) != (before.st_ino, before.st_size, before.st_mtime_ns):
                raise FileFailed(f"{path}: changed by someone else while it was being rewritten; nothing was written")
            os.replace(temporary, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
