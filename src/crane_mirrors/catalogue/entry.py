"""Entries of a catalogue: an origin and its mirrors, and the row of a compiled catalogue that holds one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from crane_mirrors.reference import Repository

if TYPE_CHECKING:
    from crane_mirrors.model import Kind
    from crane_mirrors.url import URL

_RECORD, _FIELD = "\x1e", "\x1f"

__all__ = ["Entry", "Place", "Prefix", "key_of", "location_of"]


class Prefix(str):
    """A whole registry, forge or folder of one, as a catalogue writes it: ``docker.io/*``."""

    __slots__ = ()

    @property
    def head(self) -> str:
        """What stands before ``/*``.

        >>> Prefix("https://github.com/*").head
        'https://github.com'
        """
        return self[:-2]


@dataclass(frozen=True, slots=True)
class Place:
    """One copy on one host. ``name`` is the word for ``--mirror``; ``source`` the catalogue file that says so."""

    name: str
    location: Repository | URL | Prefix
    host_kind: str
    page: str | None
    source: str
    is_origin: bool = False

    @property
    def host(self) -> str:
        """The server, with its port if there is one."""
        if isinstance(self.location, Repository):
            return self.location.registry
        if isinstance(self.location, Prefix):
            return key_of(self.location).partition("/")[0]
        return self.location.authority


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that has mirrors; ``synced`` is the promised interval, such as ``6h``."""

    kind: Kind
    name: str
    origin: Place
    mirrors: tuple[Place, ...] = ()
    aliases: tuple[str, ...] = ()
    default_tag: str | None = None
    platforms: tuple[str, ...] = ()
    synced: str | None = None

    @property
    def places(self) -> tuple[Place, ...]:
        """All copies, the origin last."""
        return (*self.mirrors, self.origin)

    @property
    def is_prefix(self) -> bool:
        """Whether the entry covers everything below its origin."""
        return isinstance(self.origin.location, Prefix)

    def below(self, tail: str) -> Entry:
        """Give the entry of one thing under a prefix entry; raises InvalidInput where the result is no location.

        >>> hub = Place("dockerhub", Prefix("docker.io/*"), "dockerhub", None, "built-in", True)
        >>> corp = Place("corp", Prefix("docker.m.example/*"), "generic", None, "built-in")
        >>> str(Entry("image", "hub", hub, (corp,)).below("library/nginx").mirrors[0].location)
        'docker.m.example/library/nginx'
        """

        def fill(place: Place) -> Place:
            assert isinstance(place.location, Prefix)
            return replace(place, location=location_of(self.kind, f"{place.location.head}/{tail}"))

        return replace(self, origin=fill(self.origin), mirrors=tuple(map(fill, self.mirrors)))

    def to_row(self) -> str:
        """Write the entry as one line, the origin's place first; no field of a checked entry holds a separator."""
        head = [self.kind, self.name, self.default_tag, self.synced, " ".join(self.aliases), " ".join(self.platforms)]
        places = [
            (place.name, str(place.location), place.host_kind, place.page, place.source)
            for place in (self.origin, *self.mirrors)
        ]
        return _RECORD.join(_FIELD.join(field or "" for field in record) for record in (head, *places))

    @classmethod
    def from_row(cls, row: str) -> Entry:
        """Read what ``to_row`` wrote."""
        head, *records = row.split(_RECORD)
        kind, name, default_tag, synced, aliases, platforms = head.split(_FIELD)
        places: list[Place] = []
        for record in records:
            word, text, host_kind, page, source = record.split(_FIELD)
            location = location_of(cast("Kind", kind), text)
            places.append(Place(word, location, host_kind, page or None, source, not places))
        return cls(
            cast("Kind", kind),
            name,
            places[0],
            tuple(places[1:]),
            tuple(aliases.split()),
            default_tag or None,
            tuple(platforms.split()),
            synced or None,
        )


def location_of(kind: Kind, text: str) -> Repository | URL | Prefix:
    """Read a location as a catalogue writes it. Raises InvalidReference or InvalidURL.

    >>> location_of("image", "docker.io/*")
    'docker.io/*'
    """
    if text.endswith("/*"):
        _ = location_of(kind, text[:-1] + "x")
        return Prefix(text)
    if kind == "image":
        return Repository.parse(text)
    from crane_mirrors.url import URL

    return URL.parse(text)


def key_of(location: Repository | URL | Prefix) -> str:
    """Give the text by which locations are compared: no scheme, no ``.git``, no trailing slash.

    >>> key_of(location_of("git", "https://GitHub.com/gocrane/crane.git"))
    'github.com/gocrane/crane'
    """
    if isinstance(location, Repository):
        return str(location)
    if isinstance(location, Prefix):
        return location.head.partition("://")[2] or location.head
    return location.place.removesuffix(".git")
