"""Image names and references → routes."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from crane_mirrors.catalogue.entry import key_of
from crane_mirrors.clients import pull_command
from crane_mirrors.errors import InvalidInput, InvalidPlatform, UnknownName
from crane_mirrors.model import nearest, shown
from crane_mirrors.reference import Reference, Repository
from crane_mirrors.resolve.routes import Answer, Choice, Route, rank

if TYPE_CHECKING:
    from crane_mirrors.catalogue import Catalogue
    from crane_mirrors.catalogue.entry import Entry
    from crane_mirrors.clients import Client
    from crane_mirrors.platforms import Platform

__all__ = ["answer_image", "find_image", "resolve_image"]


def resolve_image(
    catalogue: Catalogue,
    text: str,
    choice: Choice | None = None,
    *,
    tag: str | None = None,
    digest: str | None = None,
    client: Client = "docker",
    platform: Platform | None = None,
) -> Answer:
    """Resolve a catalogue name or any registry's reference, with or without tag and digest.

    Raises InvalidInput for an invalid reference or a tag that contradicts it, NotFound for what the catalogue lacks.
    """
    entry, own_tag, own_digest = find_image(catalogue, text)
    return answer_image(
        catalogue,
        entry,
        _agreed("tag", own_tag, tag),
        _agreed("digest", own_digest, digest),
        choice or Choice(),
        client=client,
        platform=platform,
    )


def answer_image(
    catalogue: Catalogue,
    entry: Entry,
    tag: str | None,
    digest: str | None,
    choice: Choice,
    *,
    client: Client = "docker",
    platform: Platform | None = None,
) -> Answer:
    """Give the routes to an image's entry. Raises InvalidInput or NotFound."""
    notes: tuple[str, ...] = ()
    if tag is None and digest is None:
        tag = entry.default_tag or "latest"
        why = "the catalogue's default" if entry.default_tag else "the registries' default"
        notes = (f"no tag given: using {tag}, {why}",)
    if platform and entry.platforms and str(platform) not in entry.platforms:
        raise InvalidPlatform(
            f"image '{entry.name}' is not built for {platform}: it is built for {', '.join(entry.platforms)}"
        )
    routes = []
    places, _ = rank(catalogue, entry, choice)
    for place in places if choice.every else places[:1]:
        reference = Reference(cast("Repository", place.location), tag, digest)
        command = pull_command(client, reference, platform)
        routes.append(Route(place, str(reference), command, place.page))
    return Answer("image", entry.name, tuple(routes), notes)


def find_image(catalogue: Catalogue, text: str) -> tuple[Entry, str | None, str | None]:
    """Give the entry that a name or a reference means, with the text's own tag and digest. Raises as resolve_image."""
    if "/" not in text:
        # A bare name is the catalogue's, before it is Docker Hub's "library/NAME".
        name, at, digest = text.partition("@")
        name, colon, tag = name.partition(":")
        entry = catalogue.get("image", name)
        if entry and not entry.is_prefix:
            return entry, tag if colon else None, digest if at else None
        if name != name.lower():
            raise UnknownName(f"no image {shown(name)} in the catalogue: {nearest(name, catalogue.names('image'))}")
    reference = Reference.parse(text)
    entry = catalogue.covering("image", key_of(reference.repository))
    if not entry:
        known = catalogue.names("image")
        what = str(reference.repository) if "/" in text else reference.repository.familiar
        hint = nearest(reference.repository.path.rpartition("/")[2], known)
        raise UnknownName(f"no image {shown(what)} in the catalogue: {hint}")
    return entry, reference.tag, reference.digest


def _agreed(what: str, own: str | None, option: str | None) -> str | None:
    if own is not None and option is not None and own != option:
        raise InvalidInput(f"two {what}s: {shown(own)} in the name, {shown(option)} by an option; give one of them")
    return own if own is not None else option
