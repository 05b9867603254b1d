"""Entries of a catalogue: an origin and its mirrors, and the row of a compiled catalogue that holds one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from crane_mirrors.errors import InvalidCatalogue, InvalidInput, InvalidURL
from crane_mirrors.model import shown
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
            (place.name, str(place.location), place.host_kind, place.page, _quoted(place.source))
            for place in (self.origin, *self.mirrors)
        ]
        return _RECORD.join(_FIELD.join(field or "" for field in record) for record in (head, *places))

    @classmethod
    def from_row(cls, row: str) -> Entry:
        """Read what ``to_row`` wrote. Raises InvalidCatalogue for anything else."""
        try:
            return cls._from_row(row)
        except (ValueError, IndexError, InvalidInput):
            # Only a cache file that somebody made on purpose comes to this: its checksum fits.
            raise InvalidCatalogue(("the cache of compiled catalogues is damaged: remove its folder",)) from None

    @classmethod
    def _from_row(cls, row: str) -> Entry:
        head, *records = row.split(_RECORD)
        kind, name, default_tag, synced, aliases, platforms = head.split(_FIELD)
        places: list[Place] = []
        for record in records:
            word, text, host_kind, page, source = record.split(_FIELD)
            location = location_of(cast("Kind", kind), text)
            places.append(Place(word, location, host_kind, page or None, _unquoted(source), not places))
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
    """Read a location as a catalogue writes it, in its one spelling. Raises InvalidReference or InvalidURL.

    >>> location_of("image", "index.docker.io/*"), location_of("raw", "https://Proxy.example:443/https://x.example/*")
    ('docker.io/*', 'https://proxy.example/https://x.example/*')
    """
    if text.endswith("/*"):
        # Two components, so that Docker Hub does not put "library/" before them.
        below = str(location_of(kind, f"{text[:-2]}/x/x"))
        if not below.endswith("/x/x"):
            raise InvalidURL(f"{shown(text)} has a fragment, so nothing can be under it")
        return Prefix(f"{below[:-4]}/*")
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


def _quoted(source: str) -> str:
    """Write the name of a file, which can hold anything but NUL, without what separates rows and fields.

    >>> _quoted("a%\\n.yaml"), _unquoted("a%25%0a.yaml")
    ('a%25%0a.yaml', 'a%\\n.yaml')
    """
    return "".join(f"%{ord(char):02x}" if char < " " or char == "%" else char for char in source)


def _unquoted(text: str) -> str:
    if "%" not in text:
        return text
    from urllib.parse import unquote

    return unquote(text)
