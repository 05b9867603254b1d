"""Whole files that this program owns: it writes, renews and removes them, and touches no other."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, NamedTuple

from crane_mirrors.cli._stamp import PROOF, Stamp, proof, read_proof, read_stamp, stamped
from crane_mirrors.errors import FileFailed
from crane_mirrors.model import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from crane_mirrors.cli._folder import Folder, Kept
    from crane_mirrors.targets import File

__all__ = ["Change", "Owned", "diff_of"]

_HEAD = 512


class Change(NamedTuple):
    """What is to become of one file: ``new`` is None where it goes away, unless it is ``edited``.

    ``interim`` is what has to be there while another file changes.
    """

    name: str
    old: Kept | None
    new: str | None
    edited: bool = False
    interim: str | None = None

    @property
    def state(self) -> str:
        """``written``, ``unchanged``, ``removed``, or ``kept`` for what a person made of a file."""
        if self.edited:
            return "kept"
        if self.new is None:
            return "removed"
        return "unchanged" if self.old is not None and self.old.text == self.new else "written"


class _Found(NamedTuple):
    """A file at a place where an owned one may be, with the stamp that it has, or that lies beside it."""

    kept: Kept | None
    beside: Kept | None
    stamp: Stamp | None


class Owned:
    """The files of one target in one folder."""

    def __init__(self, folder: Folder, stamp: Stamp, shapes: Sequence[str]) -> None:
        """Look for files of earlier runs where ``shapes`` say; new ones get ``stamp``. Raises FileFailed."""
        self.folder, self.stamp = folder, stamp
        self.found = {name: self._find(name) for shape in shapes for name in self._candidates(shape)}
        own = [(name, found.stamp.folders) for name, found in self.found.items() if found.stamp and found.stamp.intact]
        self.made = {path for name, count in own for path in folder.around(name)[:count]}
        """Folders that came with files, and go with the last of them."""

    def _candidates(self, shape: str) -> Iterator[str]:
        """Give the files whose beginning, or what lies beside them, says that this target wrote them."""
        for name in dict.fromkeys(name.removesuffix(PROOF) for name in self.folder.names(shape)):
            for each in (name, name + PROOF):
                # Among any files, one that may not be read is somebody else's.
                with contextlib.suppress(*([FileFailed] if "*" in shape else [])):
                    said = _stamp_of(self.folder.read(each, _HEAD))
                    if said and said.target == self.stamp.target:
                        yield name
                        break

    def _find(self, name: str) -> _Found:
        kept = self.folder.read(name)
        said = _stamp_of(kept)
        beside = None if said else self.folder.read(name + PROOF)
        if beside is not None and beside.text is not None and (kept is None or kept.text is not None):
            said = read_proof(beside.text, kept.text if kept else None)
        return _Found(kept, beside, said)

    def renewal(self, files: Sequence[File]) -> list[Change]:
        """Say what makes the folder hold these files and no earlier ones. Raises FileFailed for one in the way."""
        changes: list[Change] = []
        for file in files:
            found = self.found.pop(file.path, None) or self._find(file.path)
            self._check_own(file, found)
            place = os.path.join(self.stamp.place, file.path) if self.stamp.place else ""
            stamp = self.stamp._replace(place=place, folders=self._folders(file.path))
            if file.comment is not None:
                changes.append(Change(file.path, found.kept, stamped(stamp, file.text, file.comment)))
                continue
            # What the earlier proof has is there, or another run is just about to write it.
            both = proof(stamp, file.text, earlier=found.beside.text or "" if found.beside else "")
            changes.append(Change(file.path, found.kept, file.text))
            changes.append(Change(file.path + PROOF, found.beside, proof(stamp, file.text), interim=both))
        return changes + self.removal()

    def removal(self) -> list[Change]:
        """Say which files go away: all that were found and not renewed; what a person changed stays."""
        changes: list[Change] = []
        for name, found in sorted(self.found.items()):
            if not (found.stamp and found.stamp.intact):
                changes.append(Change(name, found.kept, None, edited=True))
                continue
            # The other way round, a run that is cut short would leave a file that nothing proves to be ours.
            changes += [Change(name, found.kept, None)] if found.kept else []
            changes += [Change(name + PROOF, found.beside, None)] if found.beside else []
        return changes

    def apply(self, changes: Sequence[Change]) -> None:
        """Make the changes, each file in one step. Raises FileFailed; what was done until then stays."""
        wanted = [change for change in changes if change.state == "written"]
        olds = {change.name: change.old for change in wanted}
        for change in wanted:
            if change.interim is not None:
                self.folder.write(change.name, change.interim, change.old)
                olds[change.name] = self.folder.read(change.name)
        for change in wanted:
            old = olds[change.name]
            if old is None or old.text != change.new:
                self.folder.write(change.name, change.new or "", old)
        gone = [change for change in changes if change.state == "removed"]
        for change in gone:
            self.folder.remove(change.name, change.old)
        for change in changes:
            self.folder.sweep(change.name)
        self._remove_folders([change.name for change in gone])

    def _remove_folders(self, gone: Sequence[str]) -> None:
        around = {path for name in gone for path in self.folder.around(name)} & self.made
        for path in sorted(around, key=len, reverse=True):
            with contextlib.suppress(OSError):  # where anything else is left in it, it is needed
                os.rmdir(path)

    def _check_own(self, file: File, found: _Found) -> None:
        path = self.folder.path(file.path)
        if found.stamp is None:
            if found.kept is None and (found.beside is None or file.comment is not None):
                return
            path += PROOF if found.kept is None else ""
            raise FileFailed(f"{path}: not written by crane-mirrors: move it away, or use another folder")
        if found.stamp.target != self.stamp.target:
            raise FileFailed(f"{path}: belongs to 'config {found.stamp.target}': use another folder")
        if not found.stamp.intact:
            raise FileFailed(f"{path}: somebody changed it since crane-mirrors wrote it: move it away")

    def _folders(self, name: str) -> int:
        """Count the folders around a file that came with it or another one, or will come."""
        for count, path in enumerate(self.folder.around(name)):
            if path not in self.made and os.path.lexists(path):
                return count
        return 0


def _stamp_of(kept: Kept | None) -> Stamp | None:
    return read_stamp(kept.text) if kept is not None and kept.text is not None else None


def diff_of(folder: Folder, change: Change) -> str:
    """Give a change as a unified diff, empty where there is none."""
    from io import StringIO

    from crane_mirrors.cli._diff import unified_diff

    if change.state not in ("written", "removed"):
        return ""
    path = printable(folder.path(change.name))
    before, after = path if change.old else os.devnull, os.devnull if change.new is None else path
    texts = (change.old.text or "" if change.old else "", change.new or "")
    old, new = (StringIO(text, newline="\n").readlines() for text in texts)
    return "".join(unified_diff(old, new, before, after))
