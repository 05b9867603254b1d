"""Which entries a client should get from a mirror, and which of their places stay as they are under a prefix."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from crane_mirrors.catalogue.entry import key_of
from crane_mirrors.errors import NoRoute
from crane_mirrors.resolve.routes import rank
from crane_mirrors.targets._base import Copies, Stay
from crane_mirrors.targets._cluster import folders

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from crane_mirrors.catalogue import Catalogue
    from crane_mirrors.catalogue.entry import Entry, Place
    from crane_mirrors.model import Kind
    from crane_mirrors.resolve.routes import Choice

__all__ = ["copies"]


def copies(catalogue: Catalogue, kinds: Sequence[Kind], choice: Choice) -> Iterator[Copies]:
    """Give the entries of some kinds that a client should get from a mirror.

    Those are the mirrors that a person chose, otherwise all in the region's order, up to the origin in both cases. An
    entry that has none of them is passed over, and an exception where a prefix covers it. Raises UnknownName for a
    mirror that no entry has.
    """
    rows = [
        Copies(entry, _before_origin(catalogue, entry, choice)) for entry in catalogue.entries() if entry.kind in kinds
    ]
    stay = _exceptions(rows)
    for row in rows:
        if row.mirrors:
            yield row._replace(stay=tuple(stay.get((row.entry.kind, row.entry.name), ())))


def _before_origin(catalogue: Catalogue, entry: Entry, choice: Choice) -> tuple[Place, ...]:
    try:
        places, chosen = rank(catalogue, entry, choice)
    except NoRoute:
        return ()
    return tuple(takewhile(lambda place: not place.is_origin, places[:chosen] if chosen else places))


def _exceptions(rows: Sequence[Copies]) -> dict[tuple[Kind, str], list[Stay]]:
    """Find for each prefix what stays under it: an exact entry comes before it, and so does a longer prefix."""
    wide = {
        (row.entry.kind, key_of(place.location)): row.entry.name
        for row in rows
        if row.entry.is_prefix
        for place in row.entry.places
        if row.better(place)
    }
    found: dict[tuple[Kind, str], list[Stay]] = {}
    for row in rows if wide else ():
        kind = row.entry.kind
        for place in row.entry.places:
            around = [wide[kind, head] for head in folders(key_of(place.location)) if (kind, head) in wide]
            if around and not row.better(place):
                found.setdefault((kind, around[0]), []).append(Stay(row.entry, place))
    return found
