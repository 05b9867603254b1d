"""Routes, and their order: what a person chose first, then the region's preference."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from crane_mirrors.errors import NoRoute, UnknownName
from crane_mirrors.model import nearest, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crane_mirrors.catalogue import Catalogue
    from crane_mirrors.catalogue.entry import Entry, Place
    from crane_mirrors.model import RouteKind

__all__ = ["Answer", "Choice", "Ranking", "Route", "check_mirrors", "is_called", "is_chosen", "rank"]


class Choice(NamedTuple):
    """What a person prefers: mirrors by name, best first (``origin`` is whichever host that is), then a region.

    With ``every`` False only the best route is made, which is all that a line of output needs.
    """

    mirrors: tuple[str, ...] = ()
    region: str = "cn"
    every: bool = True


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


class Ranking(NamedTuple):
    """An entry's places, best first; the first ``chosen`` of them are those that a person named."""

    places: tuple[Place, ...]
    chosen: int


def rank(catalogue: Catalogue, entry: Entry, choice: Choice) -> Ranking:
    """Put an entry's places in order, and remember it.

    Raises UnknownName for a mirror that no entry has, NoRoute when this entry has none of the chosen ones.
    """
    key = (entry.kind, entry.name, choice)
    kept = catalogue.orders.get(key)
    if kept and kept[0] is entry:
        ranking: Ranking = kept[1]
        return ranking
    # An entry under a prefix is made anew each time, but its places stand in the prefix entry's order.
    order = kept[2] if kept else _order(catalogue, entry, choice)
    places = entry.places
    ranking = Ranking(tuple([places[index] for index in order[0]]), order[1])
    catalogue.orders[key] = (entry, ranking, order)
    return ranking


def _order(catalogue: Catalogue, entry: Entry, choice: Choice) -> tuple[list[int], int]:
    words = catalogue.order(choice.region)

    def position(place: Place) -> int:
        called = (place.name, place.host_kind, "origin" if place.is_origin else "")
        return min((words.index(word) for word in called if word in words), default=len(words) + place.is_origin)

    ranked = sorted(range(len(entry.places)), key=lambda index: position(entry.places[index]))
    chosen: list[int] = []
    for word in choice.mirrors:
        found = [index for index in ranked if is_called(entry.places[index], word)]
        if not found:
            check_mirrors(catalogue, [word])
        chosen += [index for index in found if index not in chosen]
    if choice.mirrors and not chosen:
        places = [entry.places[index] for index in ranked]
        have = ", ".join(f"{place.name}{' (the origin)' * place.is_origin}" for place in places)
        raise NoRoute(f"{entry.kind} '{entry.name}' is not on {', '.join(choice.mirrors)}: it is on {have}")
    return [*chosen, *(index for index in ranked if index not in chosen)], len(chosen)


def is_called(place: Place, word: str) -> bool:
    """Tell whether a place is meant by a word after ``--mirror``: its name, its host kind, or ``origin``."""
    return word in (place.name, place.host_kind) or (word == "origin" and place.is_origin)


def is_chosen(place: Place, words: Iterable[str]) -> bool:
    """Tell whether a place is meant by one of the words after ``--mirror``; without any, every place is."""
    words = tuple(words)
    return not words or any(is_called(place, word) for word in words)


def check_mirrors(catalogue: Catalogue, words: Iterable[str]) -> None:
    """Raise UnknownName for a word by which no place of any entry is called."""
    for word in words:
        if word not in catalogue.mirror_words():
            raise UnknownName(
                f"no mirror {shown(word)} in the catalogue: {nearest(word, sorted(catalogue.mirror_words()))}"
            )
