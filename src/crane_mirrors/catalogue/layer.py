"""One catalogue file as a layer: what it says of regions and entries, before it is laid over others."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from crane_mirrors import hosts
from crane_mirrors.catalogue.entry import Place, Prefix, location_of
from crane_mirrors.catalogue.nodes import MapNode, Scalar, SeqNode, read_nodes
from crane_mirrors.errors import InvalidInput, UnknownName
from crane_mirrors.intervals import Interval
from crane_mirrors.model import nearest, shown
from crane_mirrors.platforms import Platform
from crane_mirrors.reference import Repository, check_tag
from crane_mirrors.url import URL, shown_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from crane_mirrors.catalogue.nodes import Node
    from crane_mirrors.catalogue.problems import At, Problems
    from crane_mirrors.model import Kind

T = TypeVar("T")

__all__ = ["SECTIONS", "Layer", "Patch", "read_layer"]

SECTIONS: dict[str, Kind] = {"images": "image", "helm": "helm", "git": "git", "raw": "raw"}
"""The sections of a catalogue file, and the kind of the entries in each."""

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
WORD = r"[a-z0-9][a-z0-9-]{0,63}"


@dataclass(slots=True)
class Patch:
    """What a layer says of one entry; None means that it says nothing, a mirror of None takes that mirror away."""

    at: At
    origin: Place | None = None
    mirrors: dict[str, Place | None] = field(default_factory=dict)
    aliases: tuple[str, ...] | None = None
    default_tag: str | None = None
    platforms: tuple[str, ...] | None = None
    synced: str | None = None


@dataclass(slots=True)
class Layer:
    """One file's contents; an entry of None takes it away, ``builtin`` False leaves the built-in entries out."""

    source: str
    builtin: bool = True
    regions: dict[str, tuple[At, tuple[str, ...]]] = field(default_factory=dict)
    entries: dict[tuple[Kind, str], Patch | None] = field(default_factory=dict)


def read_layer(source: str, data: bytes, problems: Problems) -> Layer:
    """Read a catalogue file; what is wrong with it goes to ``problems``, each with its position."""
    layer = Layer(source)
    root = read_nodes(source, data, problems)
    if root is not None:
        _Reader(layer, problems).top(root)
    return layer


class _Reader:
    def __init__(self, layer: Layer, problems: Problems) -> None:
        self.layer, self.problems = layer, problems

    def top(self, root: Node) -> None:
        items = self._mapping(root, {"version", "builtin", "regions", *SECTIONS})
        if "version" not in items:
            if isinstance(root, MapNode):
                self.problems.add(root.at, "'version: 1' is missing")
        elif (version := self._text(items["version"])) not in (None, "1"):
            self.problems.add(items["version"].at, f"version {shown(version or '')} is not known: this program reads 1")
        if "builtin" in items:
            value = self._text(items["builtin"])
            if value not in (None, "true", "false"):
                self.problems.add(items["builtin"].at, f"{shown(value or '')} is not true or false")
            self.layer.builtin = value != "false"
        for name, node in self._named(items.get("regions"), WORD, "region"):
            self.layer.regions[name] = (node.at, tuple(self._strings(node, self._word)))
        for section, kind in SECTIONS.items():
            for name, node in self._named(items.get(section), NAME, "name"):
                empty = isinstance(node, Scalar) and node.text is None
                self.layer.entries[kind, name] = None if empty else self._entry(kind, node)

    def _entry(self, kind: Kind, node: Node) -> Patch:
        keys = {"origin", "mirrors"}
        if kind != "raw":
            keys |= {"aliases"} | ({"default_tag", "platforms"} if kind == "image" else {"synced"})
        items = self._mapping(node, keys)
        patch = Patch(node.at)
        if "origin" in items:
            patch.origin = self._place(kind, None, items["origin"])
        for name, place in self._named(items.get("mirrors"), WORD, "mirror name"):
            empty = isinstance(place, Scalar) and place.text is None
            patch.mirrors[name] = None if empty else self._place(kind, name, place)
            if name in ("origin", "generic"):
                self.problems.add(place.at, f"'{name}' cannot be a mirror's name: it has a meaning of its own")
        if "aliases" in items:
            patch.aliases = tuple(self._strings(items["aliases"], self._name))
        if "platforms" in items:
            patch.platforms = tuple(self._strings(items["platforms"], lambda text: str(Platform.parse(text))))
        patch.default_tag = self._parsed(items.get("default_tag"), check_tag)
        patch.synced = self._parsed(items.get("synced"), lambda text: str(Interval.parse(text)))
        return patch

    def _place(self, kind: Kind, name: str | None, node: Node) -> Place | None:
        key = "reference" if kind == "image" else "url"
        if isinstance(node, Scalar):
            items: dict[str, Node] = {key: node}
        else:
            items = self._mapping(node, {key, "page", "host_kind"})
            if key not in items:
                if isinstance(node, MapNode):
                    self.problems.add(node.at, f"'{key}' is missing")
                return None
        location = self._parsed(items[key], lambda text: _location(kind, text))
        page = self._parsed(items.get("page"), _page)
        host_kind = self._parsed(items.get("host_kind"), lambda text: hosts.kind_named(text).name)
        if location is None:
            return None
        place = Place(name or "origin", location, host_kind or "generic", page, self.layer.source, name is None)
        if not host_kind:
            host_kind = hosts.kind_of(place.host.partition(":")[0]).name
        word = name or (host_kind if host_kind != "generic" else "origin")
        return Place(word, location, host_kind, page, self.layer.source, name is None)

    def _mapping(self, node: Node, known: set[str]) -> dict[str, Node]:
        if not isinstance(node, MapNode):
            self.problems.add(node.at, f"must be a mapping with {', '.join(sorted(known))}")
            return {}
        for key in node.items:
            if key not in known:
                hint = "" if self.problems.full else nearest(key, sorted(known))
                self.problems.add(node.keys[key], f"unknown key: {hint}")
        return {key: value for key, value in node.items.items() if key in known}

    def _named(self, node: Node | None, grammar: str, what: str) -> Iterator[tuple[str, Node]]:
        if node is None or (isinstance(node, Scalar) and node.text is None):
            return
        if not isinstance(node, MapNode):
            self.problems.add(node.at, "must be a mapping")
            return
        for name, value in node.items.items():
            if re.fullmatch(grammar, name):
                yield name, value
            else:
                self.problems.add(node.keys[name], f"invalid {what} {shown(name)}: it must match {grammar}")

    def _strings(self, node: Node, parse: Callable[[str], str]) -> Iterator[str]:
        if not isinstance(node, SeqNode):
            self.problems.add(node.at, "must be a list")
            return
        seen: set[str] = set()
        for item in node.items:
            text = self._parsed(item, parse)
            if text in seen:
                self.problems.add(item.at, f"{shown(text or '')} stands twice")
            elif text is not None:
                seen.add(text)
                yield text

    def _parsed(self, node: Node | None, parse: Callable[[str], T]) -> T | None:
        text = self._text(node) if node is not None else None
        if node is None or text is None:
            return None
        try:
            return parse(text)
        except (InvalidInput, UnknownName) as error:
            self.problems.add(node.at, str(error))
            return None

    def _text(self, node: Node) -> str | None:
        if isinstance(node, Scalar) and node.text is not None:
            return node.text
        self.problems.add(node.at, "must be a string")
        return None

    def _word(self, text: str) -> str:
        return _matching(text, WORD, "mirror name")

    def _name(self, text: str) -> str:
        return _matching(text, NAME, "alias")


def _matching(text: str, grammar: str, what: str) -> str:
    if not re.fullmatch(grammar, text):
        raise InvalidInput(f"invalid {what} {shown(text)}: it must match {grammar}")
    return text


def _web(text: str, *, oci: bool = False) -> URL:
    url = URL.parse(text)
    if url.scheme not in ("http", "https") and not (oci and url.scheme == "oci"):
        also = ", and oci for Helm" if oci else ""
        raise InvalidInput(f"invalid URL {shown(str(url))}: a catalogue holds http and https addresses{also}")
    if "@" in text.partition("://")[2].partition("/")[0]:
        raise InvalidInput(f"invalid URL {shown(str(url))}: it must not hold a user or a password")
    return url


def _page(text: str) -> str:
    _web(text)
    # As written: a page may need its trailing slash or its fragment.
    return text


def _location(kind: Kind, text: str) -> Repository | URL | Prefix:
    if kind == "image" and "@" in text:
        raise InvalidInput(f"invalid repository {shown_url(text)}: leave out a digest, and a user or password")
    location = location_of(kind, text)
    if kind == "raw" and not isinstance(location, Prefix):
        raise InvalidInput(f"{shown(str(location))} must end in '/*': single files come with their Git repository")
    if kind != "image":
        _web(text, oci=kind == "helm")
        if "#" in text:
            raise InvalidInput(f"invalid URL {shown(str(location))}: a fragment ('#…') is not allowed")
    if "*" in str(location).removesuffix("/*"):
        raise InvalidInput(f"invalid place {shown(str(location))}: '*' can only be its whole last part")
    return location
