"""The compiled catalogue: text with a line for every name and place, looked up without reading all of it.

A line is ``KEY<TAB>VALUE``, where KEY is ``name KIND NAME`` with a row of ``Entry.to_row``, ``name KIND ALIAS``,
``at KIND PLACE`` or ``under KIND PLACE`` with the entry's name, ``host HOST`` with its host kind, or ``region NAME``
with its words. Names and places hold no control characters (the loader sees to that), so ``bytes.find`` can find a key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from crane_mirrors.catalogue.entry import Entry, key_of
from crane_mirrors.errors import NoRoute, UnknownName
from crane_mirrors.model import Kind, nearest, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Catalogue"]

_FEW = 8


class Catalogue:
    """All origins and mirrors that are known; it never changes."""

    __slots__ = ("_entries", "_finds", "_index", "_prefixes", "_words", "compiled", "orders")

    def __init__(self, compiled: bytes) -> None:
        """Take the compiled form: use ``compile`` or ``load`` to get one."""
        self.compiled = compiled
        self._index: dict[str, str] | None = None
        self._entries: dict[str, Entry | None] = {}
        self._prefixes: bool | None = None
        self._words: frozenset[str] | None = None
        self._finds = 0
        self.orders: dict[Any, Any] = {}
        """The order of places that the resolver worked out before; it costs more than all else in a long run."""

    @classmethod
    def compile(cls, regions: Mapping[str, tuple[str, ...]], entries: Iterable[Entry]) -> Catalogue:
        """Make a catalogue of entries that were checked."""
        lines = [f"region {name}\t{' '.join(order)}" for name, order in regions.items()]
        kinds: dict[str, str] = {}
        for entry in entries:
            lines.append(f"name {entry.kind} {entry.name}\t{entry.to_row()}")
            lines += [f"name {entry.kind} {alias}\t{entry.name}" for alias in entry.aliases]
            relation = "under" if entry.is_prefix else "at"
            for place in entry.places:
                lines.append(f"{relation} {entry.kind} {key_of(place.location)}\t{entry.name}")
                if place.host_kind != "generic":
                    kinds.setdefault(place.host, place.host_kind)
        lines += [f"host {host}\t{kind}" for host, kind in kinds.items()]
        return cls(("\n" + "\n".join(lines) + "\n").encode("utf-8", "surrogateescape"))

    def entry(self, kind: Kind, name: str) -> Entry:
        """Give the entry with this name or alias. Raises UnknownName with the nearest name, NoRoute for a prefix."""
        found = self.get(kind, name)
        if found and found.is_prefix:
            raise NoRoute(f"{kind} '{name}' covers everything under {found.origin.location}: name one thing there")
        if found:
            return found
        other = next((other for other in get_args(Kind) if self.get(other, name)), None)
        hint = nearest(name, self.names(kind)) if not other else f"but there is one of kind {other}"
        raise UnknownName(f"no {kind} {_shown(name)} in the catalogue: {hint}")

    def get(self, kind: Kind, name: str) -> Entry | None:
        """Give the entry with this name or alias, or None."""
        value = self._find(f"name {kind} {name}")
        if value is None or _is_row(value):
            return self._decode(value)
        return self._decode(self._find(f"name {kind} {value}"))

    def at(self, kind: Kind, place: str) -> Entry | None:
        """Give the entry whose origin or mirror is exactly at a place (see ``key_of``)."""
        key = f"at {kind} {place}"
        entry = self._entries.get(key)
        if entry is None and (name := self._find(key)) is not None:
            entry = self._entries[key] = self._decode(self._find(f"name {kind} {name}"))
        return entry

    def under(self, kind: Kind, place: str) -> Entry | None:
        """Give the entry that the longest prefix entry makes of a place, by whole segments. Raises InvalidInput."""
        if self._prefixes is None:
            self._prefixes = b"\nunder " in self.compiled
        head, tail = place, ""
        while self._prefixes and "/" in head:
            head, _, last = head.rpartition("/")
            tail = f"{last}/{tail}" if tail else last
            name = self._find(f"under {kind} {head}")
            if name is not None:
                found = self._decode(self._find(f"name {kind} {name}"))
                return found and found.below(tail)
        return None

    def covering(self, kind: Kind, place: str) -> Entry | None:
        """Give the entry at a place, or what a prefix entry makes of it: an exact entry before any prefix."""
        return self.at(kind, place) or self.under(kind, place)

    def host_kind(self, host: str) -> str | None:
        """Say which kind of host a server is, when an entry names it."""
        return self._find(f"host {host}")

    def order(self, region: str) -> tuple[str, ...]:
        """Give a region's mirror names and host kinds, best first. Raises UnknownName."""
        value = self._find(f"region {region}")
        if value is None:
            known = ", ".join(self.regions())
            raise UnknownName(f"no region {shown(region)} in the catalogue: there are {known}")
        return tuple(value.split())

    def regions(self) -> tuple[str, ...]:
        """Name the regions, in the catalogue's order."""
        return tuple(key[7:] for key in self._whole() if key.startswith("region "))

    def names(self, kind: Kind, *, aliases: bool = True) -> list[str]:
        """Name the entries of a kind, in the catalogue's order."""
        start = f"name {kind} "
        return [
            key[len(start) :]
            for key, value in self._whole().items()
            if key.startswith(start) and (aliases or _is_row(value))
        ]

    def entries(self) -> Iterator[Entry]:
        """Give all entries, in the catalogue's order."""
        for key, value in self._whole().items():
            if key.startswith("name ") and _is_row(value):
                entry = self._decode(value)
                assert entry is not None
                yield entry

    def places(self) -> Iterator[tuple[str, str, str]]:
        """Give ``at`` or ``under``, the kind and the key (see ``key_of``) of all places; makes no entries."""
        for line in self._whole():
            relation, _, rest = line.partition(" ")
            if relation in ("at", "under"):
                kind, _, key = rest.partition(" ")
                yield relation, kind, key

    def mirror_words(self) -> frozenset[str]:
        """Give every word that a person may name a mirror with: names, host kinds and ``origin``."""
        if self._words is None:
            places = [place for entry in self.entries() for place in entry.places]
            words = {word for place in places for word in (place.name, place.host_kind)}
            self._words = frozenset(words - {"generic"} | {"origin"})
        return self._words

    def _whole(self) -> dict[str, str]:
        if self._index is None:
            lines = self.compiled.decode("utf-8", "surrogateescape").split("\n")[1:-1]
            self._index = {key: value for key, _, value in (line.partition("\t") for line in lines)}
        return self._index

    def _find(self, key: str) -> str | None:
        if self._index is not None:
            return self._index.get(key)
        if "\n" in key or "\t" in key:
            return None
        # One command asks for a few keys; whoever asks for more gets a dictionary.
        self._finds += 1
        if self._finds > _FEW:
            return self._whole().get(key)
        try:
            start = self.compiled.find(f"\n{key}\t".encode())
        except UnicodeEncodeError:
            return None
        if start < 0:
            return None
        start = self.compiled.index(b"\t", start) + 1
        return self.compiled[start : self.compiled.find(b"\n", start)].decode("utf-8", "surrogateescape")

    def _decode(self, row: str | None) -> Entry | None:
        if row is None:
            return None
        entry = self._entries.get(row)
        if entry is None:
            entry = self._entries[row] = Entry.from_row(row)
        return entry


def _shown(name: str) -> str:
    if "@" not in name:
        return shown(name)
    from crane_mirrors.url import shown_url

    return shown_url(name)  # what was pasted in place of a name may be a URL with a password


def _is_row(value: str) -> bool:
    return "\x1e" in value
