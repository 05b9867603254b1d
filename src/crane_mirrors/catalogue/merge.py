"""Layers laid over each other, the last one on top → a catalogue."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from crane_mirrors import hosts
from crane_mirrors.catalogue.entry import Entry, key_of
from crane_mirrors.catalogue.index import Catalogue
from crane_mirrors.model import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crane_mirrors.catalogue.layer import Layer, Patch
    from crane_mirrors.catalogue.problems import At, Problems
    from crane_mirrors.model import Kind

__all__ = ["merge"]


def merge(layers: Sequence[Layer], problems: Problems) -> Catalogue:
    """Lay each layer over those before it; the first is the built-in one. Contradictions go to ``problems``."""
    keep_builtin = all(layer.builtin for layer in layers)
    merger = _Merger(problems, frozenset() if keep_builtin else frozenset(layers[0].entries))
    for number, layer in enumerate(layers):
        merger.add_regions(layer)
        if number or keep_builtin:
            merger.add_entries(layer)
    merger.check_names()
    merger.check_places()
    merger.check_regions(layers)
    return Catalogue.compile(merger.regions, merger.entries.values())


class _Merger:
    def __init__(self, problems: Problems, left_out: frozenset[tuple[Kind, str]]) -> None:
        self.problems = problems
        self.left_out = left_out
        self.regions: dict[str, tuple[str, ...]] = {}
        self.words: list[tuple[At, str]] = []
        self.entries: dict[tuple[Kind, str], Entry] = {}
        self.at: dict[tuple[Kind, str], At] = {}
        self.touched: dict[tuple[Kind, str], int] = {}
        self.turn = 0

    def add_regions(self, layer: Layer) -> None:
        """Put a layer's order in front: what it does not name keeps its place behind."""
        for name, (at, order) in layer.regions.items():
            below = self.regions.get(name, ())
            self.regions[name] = (*order, *(word for word in below if word not in order))
            self.words += [(at, word) for word in order]

    def add_entries(self, layer: Layer) -> None:
        """Add, change or take away entries."""
        for key, patch in layer.entries.items():
            if patch is None:
                self.entries.pop(key, None)
                continue
            self.at[key] = patch.at
            self.turn += 1
            self.touched[key] = self.turn
            if patch.origin is None and key not in self.entries and key in self.left_out and layer.builtin:
                # What one layer changes in a built-in entry is no mistake because another leaves those out.
                continue
            entry = self._patched(key, patch)
            if entry is not None:
                self.entries[key] = entry

    def _patched(self, key: tuple[Kind, str], patch: Patch) -> Entry | None:
        below = self.entries.get(key)
        if below is None:
            if patch.origin is None:
                self.problems.add(patch.at, "'origin' is missing, and no catalogue below has this entry")
                return None
            below = Entry(key[0], key[1], patch.origin)
        mirrors = {place.name: place for place in below.mirrors}
        for name, place in patch.mirrors.items():
            if place is None:
                mirrors.pop(name, None)
            else:
                mirrors[name] = place
        return replace(
            below,
            origin=patch.origin or below.origin,
            mirrors=tuple(mirrors.values()),
            aliases=below.aliases if patch.aliases is None else patch.aliases,
            default_tag=patch.default_tag or below.default_tag,
            platforms=below.platforms if patch.platforms is None else patch.platforms,
            synced=patch.synced or below.synced,
        )

    def check_names(self) -> None:
        """Note aliases that are another entry's name or alias."""
        owners: dict[tuple[Kind, str], str] = {key: key[1] for key in self.entries}
        for (kind, name), entry in self.entries.items():
            for alias in entry.aliases:
                owner = owners.setdefault((kind, alias), name)
                if alias == name or (owner != name and self.touched[kind, owner] < self.touched[kind, name]):
                    self.problems.add(self.at[kind, name].key("aliases"), f"'{alias}' is already a name of '{owner}'")
                elif owner != name:
                    # The later entry is at fault: nobody can change the built-in catalogue's file.
                    self.problems.add(self.at[kind, owner], f"'{alias}' is already a name of '{name}'")

    def check_places(self) -> None:
        """Note places that two entries claim, prefixes mixed with places, and names that an origin has too."""
        owners: dict[tuple[Kind, str, bool], str] = {}
        for (kind, name), entry in self.entries.items():
            at = self.at[kind, name]
            for place in entry.places:
                here = at.key("origin" if place.is_origin else f"mirrors.{place.name}")
                owner = owners.setdefault((kind, key_of(place.location), entry.is_prefix), f"{name} {place.name}")
                if owner != f"{name} {place.name}":
                    self.problems.add(here, f"{place.location} is already there as {owner.replace(' ', ', ')}")
                if (str(place.location)[-2:] == "/*") != entry.is_prefix:
                    self.problems.add(here, "origin and mirrors must both end in '/*', or neither")
                if place.name == entry.origin.name and not place.is_origin:
                    self.problems.add(here, f"'{place.name}' is what the origin's own host is called")

    def check_regions(self, layers: Sequence[Layer]) -> None:
        """Note words that are neither a host kind nor any layer's name for a mirror, be it taken away by another."""
        known = {place.name for entry in self.entries.values() for place in entry.places}
        known |= {name for layer in layers for patch in layer.entries.values() if patch for name in patch.mirrors}
        known |= {"origin", *hosts.kind_names()}
        for at, word in self.words:
            if word not in known:
                self.problems.add(at, f"'{word}' is no mirror's name and no host kind: {nearest(word, sorted(known))}")
