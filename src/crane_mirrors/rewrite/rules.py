"""What each string in a text becomes: a catalogue and a person's preference, as the engine asks for them."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

from crane_mirrors import hosts
from crane_mirrors.errors import CraneMirrorsError, NoRoute
from crane_mirrors.files import FilePath, Ref
from crane_mirrors.reference import DOCKER_HUB, Repository
from crane_mirrors.resolve.locate import locate
from crane_mirrors.resolve.routes import check_mirrors, rank
from crane_mirrors.rewrite.index import Index
from crane_mirrors.url import URL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from crane_mirrors.catalogue import Catalogue
    from crane_mirrors.catalogue.entry import Entry, Place
    from crane_mirrors.model import Kind
    from crane_mirrors.resolve.locate import Located
    from crane_mirrors.resolve.routes import Choice
    from crane_mirrors.rewrite.pins import Pins

__all__ = ["Rules"]

_HUB = DOCKER_HUB[0]
_MARK = "expansion-{}-x"
_EXPANSION = re.compile(r"\$\{[^{}\s/]*\}|\$\([^()\s/]*\)|\$\w+|\{\{[^{}\n/]*\}\}|\{[\w.-]+\}|<[\w-]+>")


class Rules:
    """What a text's strings become, with one choice for each kind."""

    def __init__(self, catalogue: Catalogue, choices: Mapping[Kind, Choice]) -> None:
        """Take the catalogue and what is preferred, by kind. Raises UnknownName for a mirror that no entry has."""
        self.catalogue, self.choices = catalogue, choices
        for choice in choices.values():
            check_mirrors(catalogue, choice.mirrors)

    def index(self, pins: Pins | None = None) -> Index:
        """Give the engine what it searches for and whom it asks."""
        images: set[str] = set()
        urls: dict[str, set[str]] = {}
        repositories: set[str] = set()
        owners: set[str] = set()
        for relation, kind, key in self.catalogue.places():
            host, _, path = key.partition("/")
            # A proxy's path may hold a whole URL, and the engine's segments end at a colon.
            first = path.partition("/")[0].partition(":")[0]
            if kind == "image":
                images |= _image_anchors(host, first)
            else:
                urls.setdefault(host.partition(":")[0], set()).add(first)
            if kind == "git":
                repositories.add(path)
                owners.add(key.rpartition("/")[0] if relation == "at" else key)
        for owner in owners:
            for host, first in self._git_anchors(owner):
                urls.setdefault(host, set()).add(first)
        return Index(
            images=[anchor.encode() for anchor in images],
            urls={
                host.encode(): [] if "" in parts else [part.encode() for part in parts] for host, parts in urls.items()
            },
            repositories=[name.encode() for name in repositories],
            replace_image=self.image,
            replace_url=self.url,
            replace_bare=self.bare if self.catalogue.under("image", f"{_HUB}/library/any") else None,
            pin=pins,
        )

    def _git_anchors(self, owner: str) -> Iterator[tuple[str, str]]:
        """Name the other hosts on which an owner's repositories and their files stand, with their first segments."""
        host, _, path = owner.partition("/")
        kind = hosts.kind_named(self.catalogue.host_kind(host) or hosts.kind_of(host.partition(":")[0]).name)
        for name in kind.domains:
            if not name.startswith("*"):
                yield name, path.partition("/")[0]
        if path:
            clone, ref, file = URL.parse(f"https://{owner}/repository.git"), Ref("ref"), FilePath("path")
            with contextlib.suppress(NoRoute):
                for text in filter(None, (kind.raw_url(clone, ref, file), kind.file_page(clone, ref, file))):
                    url = URL.parse(text)
                    yield url.host, url.segments[0]

    def image(self, name: bytes) -> bytes | None:
        """Give the repository that an image's repository becomes, or None to leave it as it is.

        A bare ``owner/name`` is taken for an image only where an entry says so: a prefix for all of Docker Hub would
        otherwise catch every pair of words with a slash.
        """
        try:
            entry = self.entry_of(name)
            best = self._best(entry)[0] if entry else None
        except CraneMirrorsError:
            return None
        if best is None or str(best.location) == str(Repository.parse(name.decode())):
            return None
        return str(best.location).encode()

    def entry_of(self, name: bytes) -> Entry | None:
        """Give the entry that the name of an image in a text means, if any."""
        try:
            text = name.decode()
            repository = str(Repository.parse(text))
            bare = not any(mark in text.partition("/")[0] for mark in ".:")
            return (self.catalogue.at if bare else self.catalogue.covering)("image", repository)
        except (CraneMirrorsError, UnicodeDecodeError):
            return None

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


def _image_anchors(registry: str, first: str) -> set[str]:
    return {*DOCKER_HUB, first} - {""} if registry == _HUB else {registry.partition(":")[0]}
