"""A folder that files are written into: each whole or not at all, and nothing is reached through a symbolic link."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from typing import TYPE_CHECKING, NamedTuple

from crane_mirrors.cli._owner import take_over
from crane_mirrors.errors import FileFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Folder", "Kept"]

_LARGEST = 64 * 2**20
_MOST_FILES = 10_000
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# A FIFO that stands in the way must not be waited for.
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Kept(NamedTuple):
    """A file that is there; ``text`` is None for what is no regular file, or larger than any that is written here."""

    text: str | None
    mode: int = 0
    owner: tuple[int, int] = (0, 0)


class Folder:
    """The folder itself may be named through a link; below it every link is somebody else's file."""

    def __init__(self, root: str) -> None:
        """Take the folder's path; it need not be there yet. Raises FileFailed where it has no place at all."""
        self.root = root
        try:
            # Behind a link ".." is another folder than it seems, and one that is not there yet need not be made for it.
            self._place = os.path.realpath(root) if ".." in root.split("/") else root
            self._absolute = os.path.abspath(self._place)
        except OSError:
            raise FileFailed(f"{root}: the current folder is not there any more") from None

    def path(self, name: str) -> str:
        """Give the path of a file in it, as a person can use it."""
        return os.path.join(self.root, name)

    def around(self, name: str) -> list[str]:
        """Give the folders that a file lies in, as absolute paths, the innermost first."""
        found = [os.path.dirname(os.path.join(self._absolute, name))]
        while os.path.dirname(found[-1]) != found[-1]:
            found.append(os.path.dirname(found[-1]))
        return found

    @contextlib.contextmanager
    def _in(self, name: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        """Open the folder that a file lies in; failures name the file. Raises FileNotFoundError where there is none."""
        *parts, last = name.split("/")
        assert not {"", ".", ".."} & {*parts, last}, name
        with contextlib.ExitStack() as stack:
            if make:
                with contextlib.suppress(FileExistsError):  # opening it says better what is there instead
                    os.makedirs(self._place)
            handle = os.open(self._place, _FOLDER_FLAGS)
            stack.callback(os.close, handle)
            for part in parts:
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(part, dir_fd=handle)
                handle = os.open(part, _FOLDER_FLAGS | os.O_NOFOLLOW, dir_fd=handle)
                stack.callback(os.close, handle)
            yield handle, last

    @contextlib.contextmanager
    def _failing(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise FileFailed(f"{self.path(name)}: {(error.strerror or str(error)).lower()}") from None

    def names(self, shape: str) -> Iterator[str]:
        """Give the files of a shape such as ``*/hosts.toml``, where ``*`` is one name. Raises FileFailed."""
        first, *rest = shape.split("/")
        with self._failing(shape):
            try:
                # By this name only who may enter a folder can list it; who cannot would find every file missing.
                found = sorted(os.listdir(os.path.join(self._place, "."))) if first == "*" else [first]
            except FileNotFoundError:
                return
        if len(found) > _MOST_FILES:
            raise FileFailed(
                f"{self.root}: more than {_MOST_FILES} files are there: give the files a folder of its own"
            )
        yield from ("/".join((name, *rest)) for name in found)

    def read(self, name: str, limit: int = _LARGEST) -> Kept | None:
        """Read a file, or the beginning of it; None where there is none. Raises FileFailed."""
        with self._failing(name):
            try:
                with self._in(name) as (folder, last):
                    handle = os.open(last, _FILE_FLAGS, dir_fd=folder)
            except FileNotFoundError:
                return None
            except OSError as error:
                if self._is_in_the_way(name):
                    return Kept(None)
                raise error
            return _kept(handle, limit)

    def _is_in_the_way(self, name: str) -> bool:
        """Tell whether a link, a socket or a file stands where a folder or a file is to be."""
        parts = name.split("/")
        for depth in range(1, len(parts) + 1):
            wanted = stat.S_ISREG if depth == len(parts) else stat.S_ISDIR
            with contextlib.suppress(OSError):
                if not wanted(os.lstat(os.path.join(self._place, *parts[:depth])).st_mode):
                    return True
        return False

    def write(self, name: str, text: str, before: Kept | None) -> None:
        """Put a file in its place; what is there must still be what was there before. Raises FileFailed."""
        data = text.encode("utf-8", "surrogateescape")
        with self._failing(name), self._in(name, make=True) as (folder, last):
            temporary = f".{last[:100]}.{os.urandom(4).hex()}{_NEW}"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            handle = os.open(temporary, flags, 0o777 if text.startswith("#!") else 0o666, dir_fd=folder)
            try:
                with open(handle, "wb") as file:
                    file.write(data)
                    file.flush()
                    if before:
                        take_over(handle, before.owner, before.mode)
                    os.fsync(handle)
                self._check(name, before)
                os.replace(temporary, last, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(temporary, dir_fd=folder)
                raise

    def remove(self, name: str, before: Kept | None) -> None:
        """Remove a file; it must still be what it was before. Raises FileFailed."""
        with self._failing(name), self._in(name) as (folder, last):
            self._check(name, before)
            os.unlink(last, dir_fd=folder)

    def _check(self, name: str, before: Kept | None) -> None:
        if self.read(name) != before:
            raise FileFailed(f"{self.path(name)}: changed by someone else meanwhile: try again")

    def sweep(self, name: str) -> None:
        """Remove what killed runs left beside a file; another run that is just writing fails then, and says so."""
        with contextlib.suppress(OSError), self._in(name) as (folder, last):
            for each in os.listdir(folder):
                found = _LEFTOVER.fullmatch(each)
                if found and found[1] == last[:100]:
                    os.unlink(each, dir_fd=folder)


_NEW = ".crane-mirrors-new"
_LEFTOVER = re.compile(rf"\.(.*)\.[0-9a-f]{{8}}{re.escape(_NEW)}", re.DOTALL)


def _kept(handle: int, limit: int) -> Kept:
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode) or found.st_size > _LARGEST:
        os.close(handle)
        return Kept(None)
    with open(handle, "rb") as file:
        text = file.read(limit).decode("utf-8", "surrogateescape")
    return Kept(text, stat.S_IMODE(found.st_mode), (found.st_uid, found.st_gid))
