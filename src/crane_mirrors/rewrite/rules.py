"""What each string in a text becomes: a catalogue and a person's preference, as the engine asks for them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from crane_mirrors import hosts
from crane_mirrors.catalogue.entry import Prefix, key_of
from crane_mirrors.errors import CraneMirrorsError, NoRoute
from crane_mirrors.files import FilePath, Ref
from crane_mirrors.reference import Repository
from crane_mirrors.resolve.locate import locate
from crane_mirrors.resolve.routes import check_mirrors, rank
from crane_mirrors.rewrite.index import Index
from crane_mirrors.url import URL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from crane_mirrors.catalogue import Catalogue
    from crane_mirrors.catalogue.entry import Entry, Place
    from crane_mirrors.model import Kind
    from crane_mirrors.resolve.locate import Located
    from crane_mirrors.resolve.routes import Choice

__all__ = ["Rules"]

_HUB = "docker.io"
_MARK = "expansion-{}-x"
_EXPANSION = re.compile(r"\$\{[^{}\s/]*\}|\$\([^()\s/]*\)|\$\w+|\{\{[^{}\n/]*\}\}|\{[\w.-]+\}|<[\w-]+>")
_HUB_NAMES = ("docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com")


class Rules:
    """What a text's strings become, with one choice for each kind."""

    def __init__(self, catalogue: Catalogue, choices: Mapping[Kind, Choice]) -> None:
        """Take the catalogue and what is preferred, by kind. Raises UnknownName for a mirror that no entry has."""
        self.catalogue, self.choices = catalogue, choices
        for choice in choices.values():
            check_mirrors(catalogue, choice.mirrors)

    def index(self) -> Index:
        """Give the engine what it searches for and whom it asks."""
        images: set[str] = set()
        urls: dict[str, set[str]] = {}
        repositories: set[str] = set()
        for entry in self.catalogue.entries():
            for place in entry.places:
                if entry.kind == "image":
                    images |= _image_anchors(place)
                else:
                    for host, segment in _url_anchors(entry, place):
                        urls.setdefault(host, set()).add(segment)
            if entry.kind == "git" and not entry.is_prefix:
                repositories.add(key_of(entry.origin.location).partition("/")[2])
        return Index(
            images=[anchor.encode() for anchor in images],
            urls={
                host.encode(): [] if "" in parts else [part.encode() for part in parts] for host, parts in urls.items()
            },
            repositories=[name.encode() for name in repositories],
            replace_image=self.image,
            replace_url=self.url,
            replace_bare=self.bare if self.catalogue.under("image", f"{_HUB}/library/any") else None,
        )

    def image(self, name: bytes) -> bytes | None:
        """Give the repository that an image's repository becomes, or None to leave it as it is.

        A bare ``owner/name`` is taken for an image only where an entry says so: a prefix for all of Docker Hub would
        otherwise catch every pair of words with a slash.
        """
        try:
            text = name.decode()
            repository = Repository.parse(text)
            bare = not any(mark in text.partition("/")[0] for mark in ".:")
            entry = (self.catalogue.at if bare else self.catalogue.covering)("image", str(repository))
            best = self._best(entry)[0] if entry else None
        except (CraneMirrorsError, UnicodeDecodeError):
            return None
        if best is None or best.location == repository:
            return None
        return str(best.location).encode()

    def bare(self, name: bytes) -> bytes | None:
        """Give the repository that Docker Hub's NAME or OWNER/NAME becomes, or None to leave it as it is."""
        return self.image(f"{_HUB}/".encode() + (name if b"/" in name else b"library/" + name))

    def url(self, token: bytes) -> bytes | None:
        """Give the URL that a URL or Git's ``user@host:path`` becomes, or None to leave it as it is."""
        try:
            text = token.decode()
        except UnicodeDecodeError:
            return None
        template = _Template(text)
        for address, rest in _readings(template.plain):
            try:
                located = locate(self.catalogue, URL.parse(address))
                new = self._moved(located, address) if located else None
            except CraneMirrorsError:
                continue
            if new and (not rest or (located and located.kind == "git")):
                filled = template.filled(new + rest)
                return filled.encode() if filled else None
        return None

    def _best(self, entry: Entry, kind: Kind | None = None) -> tuple[Place, ...]:
        choice = self.choices[kind or entry.kind]
        places, chosen = rank(self.catalogue, entry, choice)
        return places[:chosen] if chosen else places

    def _moved(self, located: Located, text: str) -> str | None:
        found, here = located.found, located.place
        if found and found.ref and found.path:
            return self._moved_file(located, found.ref, found.path, text, page=found.page)
        if found and found.page:
            return None
        best = next((place for place in self._best(located.entry) if located.serves(place)), here)
        if best is here:
            return None
        slash = "/" if located.kind == "helm" and _before_query(text).endswith("/") else ""
        return f"{best.location}{located.tail}{slash}{text[len(_before_query(text)) :]}"

    def _moved_file(self, located: Located, ref: Ref, path: FilePath, text: str, *, page: bool) -> str | None:
        for place in self._best(located.entry, "raw"):
            if place is located.place:
                return None
            kind, clone = hosts.kind_named(place.host_kind), place.location
            assert isinstance(clone, URL)
            try:
                new = (kind.file_page if page else kind.raw_url)(clone, ref, path)
            except NoRoute:
                continue
            if new:
                return new + "".join(text.partition("#")[1:])
        return None


class _Template:
    """A URL whose expansions, such as ``${REF}`` or ``{{ .Values.ref }}``, are kept as they are written."""

    def __init__(self, text: str) -> None:
        self.kept = _EXPANSION.findall(text)
        numbers = iter(range(len(self.kept)))
        self.plain = _EXPANSION.sub(lambda _: _MARK.format(next(numbers)), text) if self.kept else text

    def filled(self, text: str) -> str | None:
        """Put the expansions back; None where one of them got lost."""
        for number, expansion in enumerate(self.kept):
            mark = _MARK.format(number)
            if text.count(mark) != 1:
                return None
            text = text.replace(mark, expansion)
        return text


def _readings(text: str) -> Iterator[tuple[str, str]]:
    """Give the ways to part a URL into an address and what a tool appends to a clone URL.

    pip has ``@REF``, kustomize and Terraform ``//FOLDER?ref=REF``.
    """
    yield text, ""
    path = text.find("/", text.find("://") + 3)
    for mark in ("@", "//"):
        end = text.find(mark, path)
        if path > 0 and end > path:
            yield text[:end], text[end:]


def _before_query(text: str) -> str:
    return text.partition("#")[0].partition("?")[0]


def _image_anchors(place: Place) -> set[str]:
    registry, _, path = key_of(place.location).partition("/")
    anchors = {registry.partition(":")[0]}
    if registry == _HUB:
        anchors.update(_HUB_NAMES)
        if not isinstance(place.location, Prefix):
            anchors.add(path.partition("/")[0])
    return anchors


def _url_anchors(entry: Entry, place: Place) -> Iterable[tuple[str, str]]:
    """Name the hosts on which an entry's URLs can stand, each with the first segment of their paths."""
    host, _, path = key_of(place.location).partition("/")
    # A proxy's path may hold a whole URL, and the engine's segments end at a colon.
    first = path.partition("/")[0].partition(":")[0]
    yield host.partition(":")[0], first
    if entry.kind != "git":
        return
    kind = hosts.kind_named(place.host_kind)
    for name in kind.domains:
        if not name.startswith("*"):
            yield name, first
    if isinstance(place.location, URL):
        yield from _file_anchors(place.host_kind, place.location)


@lru_cache(maxsize=1024)
def _file_anchors(host_kind: str, clone: URL) -> tuple[tuple[str, str], ...]:
    kind, ref, path = hosts.kind_named(host_kind), Ref("ref"), FilePath("path")
    found = []
    try:
        for text in (kind.raw_url(clone, ref, path), kind.file_page(clone, ref, path)):
            if text:
                url = URL.parse(text)
                found.append((url.host, url.segments[0]))
    except NoRoute:
        pass
    return tuple(found)
