"""Routes, and their order: what a person chose first, then the region's preference."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from crane_mirrors.errors import NoRoute, UnknownName
from crane_mirrors.model import nearest, shown

if TYPE_CHECKING:
    from crane_mirrors.catalogue import Catalogue
    from crane_mirrors.catalogue.entry import Entry, Place
    from crane_mirrors.model import RouteKind

__all__ = ["Answer", "Choice", "Route", "rank"]


class Choice(NamedTuple):
    """What a person prefers: mirrors by name, best first (``origin`` is whichever host that is), then a region."""

    mirrors: tuple[str, ...] = ()
    region: str = "cn"


class Route(NamedTuple):
    """One resolved way to get one thing; ``target`` is a fully qualified reference or a URL, ``command`` words."""

    place: Place
    target: str
    command: tuple[str, ...]
    page: str | None = None
    notes: tuple[str, ...] = ()


class Answer(NamedTuple):
    """All routes to one thing, best first; ``notes`` are what a person should know about the answer itself."""

    kind: RouteKind
    name: str
    routes: tuple[Route, ...]
    notes: tuple[str, ...] = ()

    @property
    def best(self) -> Route:
        """The recommended route."""
        return self.routes[0]


def rank(catalogue: Catalogue, entry: Entry, choice: Choice) -> tuple[tuple[Place, ...], tuple[Place, ...]]:
    """Part an entry's places into the chosen ones and the rest, each best first.

    Raises UnknownName for a mirror that no entry has, NoRoute when this entry has none of the chosen ones.
    """
    if entry.is_prefix:
        raise NoRoute(
            f"{entry.kind} '{entry.name}' covers everything under {entry.origin.location}: name one thing there"
        )
    order = catalogue.order(choice.region)
    last = len(order)

    def position(place: Place) -> int:
        words = (place.name, place.host_kind, "origin" if place.is_origin else "")
        return min((order.index(word) for word in words if word in order), default=last + place.is_origin)

    places = sorted(entry.places, key=position)
    chosen: list[Place] = []
    for word in choice.mirrors:
        found = [place for place in places if _is_called(place, word)]
        if not found:
            _check_word(catalogue, word)
        chosen += [place for place in found if place not in chosen]
    if choice.mirrors and not chosen:
        have = ", ".join(f"{place.name}{' (the origin)' * place.is_origin}" for place in places)
        words = ", ".join(choice.mirrors)
        raise NoRoute(f"{entry.kind} '{entry.name}' is not on {words}: it is on {have}")
    return tuple(chosen), tuple(place for place in places if place not in chosen)


def _is_called(place: Place, word: str) -> bool:
    return word in (place.name, place.host_kind) or (word == "origin" and place.is_origin)


def _check_word(catalogue: Catalogue, word: str) -> None:
    places = [place for entry in catalogue.entries() for place in entry.places]
    if not any(_is_called(place, word) for place in places):
        names = sorted({place.name for place in places} | {"origin"})
        raise UnknownName(f"no mirror {shown(word)} in the catalogue: {nearest(word, names)}")
