"""Which files a folder holds that are text and not ignored by Git."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pathspec import GitIgnoreSpec

    Ignores = tuple[tuple[str, GitIgnoreSpec], ...]

__all__ = ["text_files"]

_HEAD = 8192


def text_files(folder: str) -> Iterator[str]:
    """Give the files below a folder, sorted: no symbolic links, nothing ignored, nothing with a NUL in its beginning.

    Raises OSError for a folder that cannot be read; a file that cannot be read is given, for the reader to refuse.
    """
    yield from _walk(folder, _ignores_above(os.path.abspath(folder)))


def _walk(folder: str, ignores: Ignores) -> Iterator[str]:
    ignores = _with_own(os.path.abspath(folder), ignores)
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        is_folder = entry.is_dir(follow_symlinks=False)
        if entry.name == ".git" or _is_ignored(os.path.abspath(entry.path), ignores, is_folder=is_folder):
            continue
        if is_folder:
            yield from _walk(entry.path, ignores)
        elif entry.is_file(follow_symlinks=False) and not _is_binary(entry.path):
            yield entry.path


def _is_binary(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return b"\0" in file.read(_HEAD)
    except OSError:
        return False


def _ignores_above(folder: str) -> Ignores:
    """Read the rules of a repository's folders above, from its root down; outside a repository there are none."""
    above: list[str] = []
    while not os.path.exists(os.path.join(folder, ".git")):
        parent = os.path.dirname(folder)
        if parent == folder:
            return ()
        above.append(folder := parent)
    ignores = _with_rules(folder, os.path.join(folder, ".git", "info", "exclude"), ())
    for path in reversed(above):
        ignores = _with_own(path, ignores)
    return ignores


def _with_own(folder: str, ignores: Ignores) -> Ignores:
    return _with_rules(folder, os.path.join(folder, ".gitignore"), ignores)


def _with_rules(folder: str, rules: str, ignores: Ignores) -> Ignores:
    try:
        with open(rules, encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read(2**20).splitlines()
    except OSError:
        return ignores
    from pathspec import GitIgnoreSpec

    return (*ignores, (folder, GitIgnoreSpec.from_lines(lines)))


def _is_ignored(path: str, ignores: Ignores, *, is_folder: bool) -> bool:
    # The nearest file that has something to say decides (gitignore, "PATTERN FORMAT").
    for folder, spec in reversed(ignores):
        name = os.path.relpath(path, folder) + "/" * is_folder
        said = spec.check_file(name).include
        if said is not None:
            return said
    return False
