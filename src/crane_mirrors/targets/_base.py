"""What a target is: a client's own configuration format, written out of the catalogue's entries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crane_mirrors.catalogue.entry import Entry, Place
    from crane_mirrors.model import Kind

__all__ = ["Configuration", "Copies", "File", "LeftOut", "Options", "Stay", "Target"]


class Stay(NamedTuple):
    """One of an entry's places, than which it has no better, although another entry's prefix covers it."""

    entry: Entry
    place: Place


class Copies(NamedTuple):
    """An entry with the mirrors that a client is to use instead of its origin, best first; never none.

    ``stay`` are the exceptions of a prefix: what the catalogue has an entry of its own for, and leaves where it is.
    """

    entry: Entry
    mirrors: tuple[Place, ...]
    stay: tuple[Stay, ...] = ()

    def better(self, place: Place) -> tuple[Place, ...]:
        """Give the mirrors to use instead of a place of the entry: for the origin all, for the best one none."""
        return self.mirrors[: self.mirrors.index(place)] if place in self.mirrors else self.mirrors


class Options(NamedTuple):
    """What only some targets know; each names those that it does in ``Target.options``."""

    digest_only: bool = False
    ssh: bool = False
    script: bool = False


@dataclass(frozen=True, slots=True)
class File:
    """A whole file of a client's configuration, its path relative to the folder that the client reads.

    ``comment`` begins a comment line in the format; None where it has no comments, as in JSON.
    """

    path: str
    text: str
    comment: str | None = "#"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A mirror that the format cannot express, the reason, and the targets that can."""

    kind: Kind
    name: str
    mirror: str
    reason: str
    instead: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Configuration:
    """All files of a target, what they leave out, and what a person should know or do beside them."""

    files: tuple[File, ...]
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()


class Target:
    """A client's format: each file of this folder has one as ``TARGET``, and its name is the word for it."""

    kinds: ClassVar[tuple[Kind, ...]] = ()
    """Which entries it is about."""
    folder: ClassVar[str] = ""
    """Where the client looks for the files, for the person who installs them."""
    paths: ClassVar[tuple[str, ...]] = ("*",)
    """The shapes of its files' paths, by which those of an earlier run are found: ``*`` is one name."""
    options: ClassVar[frozenset[str]] = frozenset()
    """Which fields of Options it knows."""

    @property
    def name(self) -> str:
        """The word on the command line: the name of the file, with dots for underscores."""
        return type(self).__module__.rpartition(".")[2].replace("_", ".")

    def configure(self, rows: Sequence[Copies], options: Options) -> Configuration:
        """Write the configuration for entries of the target's kinds; pure."""
        raise NotImplementedError
