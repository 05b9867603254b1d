"""Any string that names an origin or a mirror → routes; the kind is found from the string itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crane_mirrors.errors import InvalidInput, InvalidReference, UnknownName
from crane_mirrors.model import KINDS, nearest, shown
from crane_mirrors.reference import Reference
from crane_mirrors.resolve.entry import answer_entry
from crane_mirrors.resolve.image import answer_image
from crane_mirrors.resolve.locate import locate, repository_at
from crane_mirrors.resolve.raw import answer_raw
from crane_mirrors.resolve.repository import answer_repository
from crane_mirrors.resolve.routes import Answer, Choice, Route, rank
from crane_mirrors.url import URL

if TYPE_CHECKING:
    from crane_mirrors.catalogue import Catalogue
    from crane_mirrors.resolve.locate import Located

__all__ = ["resolve_string"]


def resolve_string(catalogue: Catalogue, text: str, choice: Choice | None = None) -> Answer:
    """Resolve a reference, a URL, Git's ``user@host:path`` or a name that only one kind of entry has.

    Raises InvalidInput for what is none of these, NotFound for what the catalogue lacks.
    """
    choice = choice or Choice()
    if text.startswith("docker://"):
        text = text.removeprefix("docker://")
    elif "://" in text or _is_scp(text):
        return _resolve_url(catalogue, URL.parse(text), choice)
    if "/" not in text:
        named = _resolve_name(catalogue, text, choice)
        if named:
            return named
    return _resolve_reference(catalogue, text, choice)


def _is_scp(text: str) -> bool:
    user, at, rest = text.partition("@")
    return bool(at) and ":" in rest and not any(mark in user for mark in "/:") and not rest.startswith("sha")


def _resolve_name(catalogue: Catalogue, text: str, choice: Choice) -> Answer | None:
    entries = [entry for kind in KINDS if (entry := catalogue.get(kind, text)) and not entry.is_prefix]
    if len(entries) > 1:
        kinds = " and ".join(entry.kind for entry in entries)
        raise InvalidInput(f"{shown(text)} names {kinds}: use 'crane-mirrors {entries[0].kind}', or an address")
    return answer_entry(catalogue, entries[0], choice) if entries else None


def _resolve_reference(catalogue: Catalogue, text: str, choice: Choice) -> Answer:
    try:
        reference = Reference.parse(text)
    except InvalidReference:
        # What has a dot before its first slash may be a URL that lacks its scheme.
        if "." not in text.partition("/")[0] or "/" not in text:
            raise
        return _resolve_url(catalogue, URL.parse(f"https://{text}"), choice)
    entry = catalogue.covering("image", str(reference.repository))
    if entry:
        return answer_image(catalogue, entry, reference.tag, reference.digest, choice)
    if reference.repository.registry != "docker.io" and not reference.tag and not reference.digest:
        return _resolve_url(catalogue, URL.parse(f"https://{text}"), choice)
    known = catalogue.names("image")
    hint = nearest(reference.repository.path.rpartition("/")[2], known)
    raise UnknownName(f"no image {shown(str(reference.repository))} in the catalogue: {hint}")


def _resolve_url(catalogue: Catalogue, url: URL, choice: Choice) -> Answer:
    located = locate(catalogue, url)
    if located:
        return _answer(catalogue, located, choice)
    if url.scheme == "oci":
        return _resolve_reference(catalogue, url.place, choice)
    found = repository_at(catalogue, url)
    if found is None:
        raise UnknownName(f"cannot resolve {shown(str(url))}: that is no repository, file or chart")
    hint = nearest(found.repository.rpartition("/")[2], catalogue.names("git"))
    raise UnknownName(f"cannot resolve {shown(str(url))}: the catalogue has no such repository, {hint}")


def _answer(catalogue: Catalogue, located: Located, choice: Choice) -> Answer:
    found = located.found
    if located.kind in ("helm", "git"):
        return answer_repository(catalogue, located.entry, choice)
    if found and found.ref and found.path:
        return answer_raw(catalogue, located.entry, found.ref, found.path, choice)
    command = ("helm", "pull") if located.kind == "chart" else ("curl", "-fsSL")
    places, _ = rank(catalogue, located.entry, choice)
    urls = [(place, f"{place.location}{located.tail}") for place in (places if choice.every else places[:1])]
    routes = tuple(Route(place, url, (*command, url), place.page) for place, url in urls)
    return Answer(located.kind, located.entry.name, routes)
