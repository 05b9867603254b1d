"""Any entry of a catalogue → routes, with the entry's own defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crane_mirrors.resolve.routes import Answer, Choice, Route, rank

if TYPE_CHECKING:
    from crane_mirrors.catalogue import Catalogue
    from crane_mirrors.catalogue.entry import Entry

__all__ = ["answer_entry"]


def answer_entry(catalogue: Catalogue, entry: Entry, choice: Choice) -> Answer:
    """Give the routes to an entry; those of a prefix entry have no command. Raises NotFound."""
    if entry.is_prefix:
        places, _ = rank(catalogue, entry, choice)
        routes = tuple(Route(place, str(place.location), (), place.page) for place in places)
        return Answer(entry.kind, entry.name, routes)
    if entry.kind == "image":
        from crane_mirrors.resolve.image import resolve_image

        return resolve_image(catalogue, entry.name, choice)
    from crane_mirrors.resolve.repository import answer_repository

    return answer_repository(catalogue, entry, choice)
