"""Any string that names an origin or a mirror → routes; the kind is found from the string itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crane_mirrors.errors import InvalidInput, InvalidReference, NoRoute, UnknownName
from crane_mirrors.model import KINDS, nearest, shown
from crane_mirrors.reference import Reference
from crane_mirrors.resolve.entry import answer_entry
from crane_mirrors.resolve.image import answer_image, resolve_image
from crane_mirrors.resolve.locate import locate, repository_at
from crane_mirrors.resolve.raw import answer_raw
from crane_mirrors.resolve.repository import answer_repository
from crane_mirrors.resolve.routes import Answer, Choice, Route, rank
from crane_mirrors.url import URL, shown_url

if TYPE_CHECKING:
    from crane_mirrors.catalogue import Catalogue
    from crane_mirrors.resolve.locate import Located

__all__ = ["resolve_string"]

_DIGESTS = ("sha256:", "sha384:", "sha512:")


def resolve_string(catalogue: Catalogue, text: str, choice: Choice | None = None, *, suggest: bool = True) -> Answer:
    """Resolve a reference, a URL, Git's ``user@host:path`` or a name that only one kind of entry has.

    Raises InvalidInput for what is none of these, NotFound for what the catalogue lacks; with ``suggest`` that says
    what there is, which takes the longer the more there is.
    """
    choice = choice or Choice()
    if "/" not in text:
        named = _resolve_name(catalogue, text, choice)
        if named:
            return named
    thing = _read(text)
    if isinstance(thing, Reference):
        answer = _resolve_reference(catalogue, thing, choice)
        if answer is None and _may_lack_scheme(thing, text):
            answer = _resolve_url(catalogue, URL.parse(f"https://{text}"), choice)
    else:
        answer = _resolve_url(catalogue, thing, choice)
    if answer is None:
        raise UnknownName(_nothing(catalogue, thing, text, suggest=suggest))
    return answer


def _read(text: str) -> Reference | URL:
    scheme, mark, rest = text.partition("://")
    if mark and scheme.lower() == "docker":
        return _reference(rest)
    if mark or _is_scp(text):
        return URL.parse(text)
    try:
        return _reference(text)
    except InvalidReference:
        # What has a dot before its first slash may be a URL that lacks its scheme, or Git's HOST:PATH.
        if "." not in text.partition("/")[0] or "/" not in text:
            raise
    host, colon, path = text.partition(":")
    if colon and not any(mark in host for mark in "/@") and "@" not in path and not path[:1].isdigit():
        return URL.parse(f"ssh://{host}/{path.lstrip('/')}")
    return URL.parse(f"https://{text}")


def _reference(text: str) -> Reference:
    try:
        return Reference.parse(text)
    except InvalidReference:
        _, at, last = text.rpartition("@")
        if (at and not _is_digest(last)) or "?" in text or "#" in text:
            # There may be a password in it, which is not repeated.
            raise InvalidReference(
                f"invalid reference {shown_url(text)}: it is [REGISTRY/]PATH[:TAG][@DIGEST]"
            ) from None
        raise


def _is_scp(text: str) -> bool:
    user, at, rest = text.partition("@")
    return bool(at) and ":" in rest and not any(mark in user for mark in "/:") and not _is_digest(rest)


def _is_digest(text: str) -> bool:
    encoded = text.partition(":")[2]
    return text.startswith(_DIGESTS) or (len(encoded) >= 32 and not encoded.strip("0123456789ABCDEFabcdef"))


def _may_lack_scheme(reference: Reference, text: str) -> bool:
    plain = reference.tag is None and reference.digest is None
    return plain and "://" not in text and reference.repository.registry != "docker.io"


def _resolve_name(catalogue: Catalogue, text: str, choice: Choice) -> Answer | None:
    entries = [entry for kind in KINDS if (entry := catalogue.get(kind, text)) and not entry.is_prefix]
    if len(entries) > 1:
        kinds = " and ".join(entry.kind for entry in entries)
        raise InvalidInput(f"{shown(text)} names {kinds}: use 'crane-mirrors {entries[0].kind}', or an address")
    if entries:
        return answer_entry(catalogue, entries[0], choice)
    name, at, digest = text.partition("@")
    tagged = catalogue.get("image", name.partition(":")[0]) and (not at or _is_digest(digest))
    return resolve_image(catalogue, text, choice) if tagged else None


def _resolve_reference(catalogue: Catalogue, reference: Reference, choice: Choice) -> Answer | None:
    entry = catalogue.covering("image", str(reference.repository))
    return answer_image(catalogue, entry, reference.tag, reference.digest, choice) if entry else None


def _resolve_url(catalogue: Catalogue, url: URL, choice: Choice) -> Answer | None:
    located = locate(catalogue, url)
    if located:
        return _answer(catalogue, located, choice)
    if url.scheme == "oci":
        # With its port the first part is a host, whatever it looks like.
        reference = Reference.parse(f"{url.host}:{url.port or 443}{url.path}")
        return _resolve_reference(catalogue, reference, choice)
    return None


def _answer(catalogue: Catalogue, located: Located, choice: Choice) -> Answer:
    found = located.found
    if located.kind in ("helm", "git"):
        return answer_repository(catalogue, located.entry, choice)
    if found and found.ref and found.path:
        return answer_raw(catalogue, located.entry, found.ref, found.path, choice)
    command = ("helm", "pull") if located.kind == "chart" else ("curl", "-fsSL")
    ranked, chosen = rank(catalogue, located.entry, choice)
    places = [place for place in ranked if located.serves(place)]
    if chosen and not set(ranked[:chosen]) & set(places):
        have = ", ".join(f"{place.name}{' (the origin)' * place.is_origin}" for place in places)
        raise NoRoute(
            f"the chart of helm '{located.entry.name}' is not on {', '.join(choice.mirrors)} in this form: "
            f"it is on {have}"
        )
    urls = [(place, f"{place.location}{located.tail}") for place in (places if choice.every else places[:1])]
    routes = tuple(Route(place, url, (*command, url), place.page) for place, url in urls)
    return Answer(located.kind, located.entry.name, routes)


def _nothing(catalogue: Catalogue, thing: Reference | URL, text: str, *, suggest: bool) -> str:
    if isinstance(thing, URL) and thing.scheme != "oci":
        what = f"cannot resolve {shown_url(text)}"
        found = repository_at(catalogue, thing)
        if found is None:
            return f"{what}: that is no repository, file or chart"
        kinds, what, name = KINDS[2:3], f"{what}: the catalogue has no such repository", found.repository
    elif isinstance(thing, Reference) and "/" in text and not _may_lack_scheme(thing, text):
        kinds, what, name = (
            KINDS[:1],
            f"no image {shown(str(thing.repository))} in the catalogue",
            thing.repository.path,
        )
    else:
        kinds, what, name = KINDS, f"the catalogue has nothing called {shown_url(text)}", text.partition("@")[0]
    if not suggest:
        return what
    names = dict.fromkeys(known for kind in kinds for known in catalogue.names(kind))
    return f"{what}: {nearest(name.rpartition('/')[2], list(names))}"
