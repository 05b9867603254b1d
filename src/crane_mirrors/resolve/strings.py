"""Any string that names an origin or a mirror → routes; the kind is found from the string itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crane_mirrors import hosts
from crane_mirrors.errors import InvalidInput, InvalidReference, UnknownName
from crane_mirrors.model import KINDS, nearest, shown
from crane_mirrors.reference import Reference
from crane_mirrors.resolve.entry import answer_entry
from crane_mirrors.resolve.image import answer_image
from crane_mirrors.resolve.raw import answer_raw
from crane_mirrors.resolve.repository import answer_repository
from crane_mirrors.resolve.routes import Answer, Choice, Route, rank
from crane_mirrors.url import URL

if TYPE_CHECKING:
    from crane_mirrors.catalogue import Catalogue
    from crane_mirrors.catalogue.entry import Entry
    from crane_mirrors.hosts import Found

__all__ = ["resolve_string"]

_INDEX = "/index.yaml"
_ARCHIVES = (".tgz", ".tgz.prov")


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
    kind = hosts.kind_named(catalogue.host_kind(url.authority) or hosts.kind_of(url.host).name)
    found = kind.find(url)
    answer = (
        _helm(catalogue, url, choice)
        or (found and _in_repository(catalogue, catalogue.at("git", found.repository), found, choice))
        or _under_raw(catalogue, url, choice)
        or (found and _in_repository(catalogue, catalogue.under("git", found.repository), found, choice))
    )
    if answer:
        return answer
    if url.scheme == "oci":
        return _resolve_reference(catalogue, url.place, choice)
    if found is None:
        raise UnknownName(f"cannot resolve {shown(str(url))}: that is no repository, file or chart")
    hint = nearest(found.repository.rpartition("/")[2], catalogue.names("git"))
    raise UnknownName(f"cannot resolve {shown(str(url))}: the catalogue has no such repository, {hint}")


def _helm(catalogue: Catalogue, url: URL, choice: Choice) -> Answer | None:
    if url.scheme not in ("https", "http", "oci"):
        return None
    place = url.place.removesuffix(_INDEX)
    entry = catalogue.at("helm", place)
    if entry:
        return answer_repository(catalogue, entry, choice)
    if url.scheme == "oci" or place.endswith(_ARCHIVES):
        head, tail = place, ""
        while "/" in head:
            head, _, last = head.rpartition("/")
            tail = f"{last}/{tail}" if tail else last
            entry = catalogue.at("helm", head)
            if entry:
                return _chart(catalogue, entry, f"/{tail}", choice)
    entry = catalogue.under("helm", place)
    if entry and place.endswith(_ARCHIVES):
        return _chart(catalogue, entry, "", choice)
    return answer_repository(catalogue, entry, choice) if entry else None


def _chart(catalogue: Catalogue, entry: Entry, tail: str, choice: Choice) -> Answer:
    places, _ = rank(catalogue, entry, choice)
    urls = [(place, f"{place.location}{tail}") for place in (places if choice.every else places[:1])]
    routes = tuple(Route(place, url, ("helm", "pull", url), place.page) for place, url in urls)
    return Answer("chart", entry.name, routes)


def _in_repository(catalogue: Catalogue, entry: Entry | None, found: Found, choice: Choice) -> Answer | None:
    if entry is None:
        return None
    if found.ref and found.path:
        return answer_raw(catalogue, entry, found.ref, found.path, choice)
    return answer_repository(catalogue, entry, choice)


def _under_raw(catalogue: Catalogue, url: URL, choice: Choice) -> Answer | None:
    entry = catalogue.under("raw", url.place)
    if entry is None:
        return None
    places, _ = rank(catalogue, entry, choice)
    urls = [(place, str(place.location)) for place in places]
    routes = tuple(Route(place, url, ("curl", "-fsSL", url), place.page) for place, url in urls)
    return Answer("raw", entry.name, routes)
