"""A file in a Git repository, at a ref → routes to its bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crane_mirrors import hosts
from crane_mirrors.catalogue.entry import Prefix
from crane_mirrors.errors import NoRoute
from crane_mirrors.files import FilePath, Ref
from crane_mirrors.reference import Repository
from crane_mirrors.resolve.routes import Answer, Choice, Route, rank

if TYPE_CHECKING:
    from crane_mirrors.catalogue import Catalogue
    from crane_mirrors.catalogue.entry import Entry, Place

__all__ = ["answer_raw", "resolve_raw"]


def resolve_raw(catalogue: Catalogue, repo: str, ref: str, path: str, choice: Choice | None = None) -> Answer:
    """Resolve a file by repository name, ref and path. Raises InvalidRef, InvalidPath, or NotFound.

    NoRoute also means that the chosen mirrors cannot express the ref; the message gives the host's reason.
    """
    entry = catalogue.entry("git", repo)
    return answer_raw(catalogue, entry, Ref(ref), FilePath.parse(path), choice or Choice())


def answer_raw(catalogue: Catalogue, entry: Entry, ref: Ref, path: FilePath, choice: Choice) -> Answer:
    """Give the routes to a file of a Git repository's entry. Raises NotFound."""
    places, chosen = rank(catalogue, entry, choice)
    reasons: list[str] = []
    routes: list[Route] = []
    for number, place in enumerate(places):
        if routes and not choice.every:
            break
        if number == chosen > 0 and not routes:
            break  # a person named mirrors, and none of them can do it
        try:
            routes.append(_route(place, ref, path))
        except NoRoute as reason:
            if not routes:
                reasons.append(str(reason))
    if not routes:
        raise NoRoute(reasons[0])
    notes = tuple(f"{reason}; using {routes[0].place.name}" for reason in reasons)
    return Answer("raw", entry.name, tuple(routes), notes)


def _route(place: Place, ref: Ref, path: FilePath) -> Route:
    clone = place.location
    assert not isinstance(clone, Repository | Prefix)
    kind = hosts.kind_named(place.host_kind)
    url = kind.raw_url(clone, ref, path)
    notes = (kind.raw_note,) if kind.raw_note else ()
    return Route(place, url, ("curl", "-fsSL", url), kind.file_page(clone, ref, path), notes)
