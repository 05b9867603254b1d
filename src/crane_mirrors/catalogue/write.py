"""A catalogue → YAML that loads as the same catalogue.

All of it is ASCII, so that it means the same in whatever encoding the output is kept, and every value is written so
that YAML 1.1 and 1.2 both read it as a string.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from crane_mirrors import hosts
from crane_mirrors.catalogue.layer import SECTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from crane_mirrors.catalogue.entry import Entry, Place
    from crane_mirrors.catalogue.index import Catalogue
    from crane_mirrors.model import Kind

__all__ = ["to_yaml"]

# Where a letter comes first, only these words are not strings (https://yaml.org/type/bool.html, null.html).
_NO_STRINGS = frozenset(("null", "true", "false", "yes", "no", "on", "off", "y", "n"))
# A digit first could begin a number or a date, but not with an interval's unit at its end.
_PLAIN = re.compile(r"[A-Za-z_](?:[A-Za-z0-9_./?=&+*@%~-]|:(?=[A-Za-z0-9/]))*|[1-9][0-9]*[smhd]")


def to_yaml(catalogue: Catalogue, *, origins: bool = False) -> str:
    """Write all regions and entries as one catalogue, which leaves the built-in entries out.

    With ``origins`` a comment behind each address names the file that says so.
    """
    lines = ["version: 1", "builtin: false"]
    regions = [f"  {_scalar(name)}: {_list(catalogue.order(name))}" for name in catalogue.regions()]
    if regions:
        lines += ["", "regions:", *regions]
    entries: dict[Kind, list[Entry]] = {kind: [] for kind in SECTIONS.values()}
    for entry in catalogue.entries():
        entries[entry.kind].append(entry)
    for section, kind in SECTIONS.items():
        if entries[kind]:
            lines += ["", f"{section}:"]
        for entry in entries[kind]:
            lines += _entry(entry, origins=origins)
    return "\n".join(lines) + "\n"


def _entry(entry: Entry, *, origins: bool) -> Iterator[str]:
    yield f"  {_scalar(entry.name)}:"
    if entry.aliases:
        yield f"    aliases: {_list(entry.aliases)}"
    yield from _place("    origin:", entry.kind, entry.origin, origins=origins)
    if entry.default_tag:
        yield f"    default_tag: {_scalar(entry.default_tag)}"
    if entry.platforms:
        yield f"    platforms: {_list(entry.platforms)}"
    if entry.synced:
        yield f"    synced: {_scalar(entry.synced)}"
    if entry.mirrors:
        yield "    mirrors:"
    for place in entry.mirrors:
        yield from _place(f"      {_scalar(place.name)}:", entry.kind, place, origins=origins)


def _place(key: str, kind: Kind, place: Place, *, origins: bool) -> Iterator[str]:
    """Write an address alone where that says all, otherwise with its page and its host kind below."""
    address = _scalar(str(place.location)) + (f"  # {_escaped(place.source)}" if origins else "")
    told = hosts.kind_of(place.host.partition(":")[0]).name == place.host_kind
    if told and not place.page:
        yield f"{key} {address}"
        return
    indent = " " * (len(key) - len(key.lstrip()) + 2)
    yield key
    yield f"{indent}{'reference' if kind == 'image' else 'url'}: {address}"
    if place.page:
        yield f"{indent}page: {_scalar(place.page)}"
    if not told:
        yield f"{indent}host_kind: {_scalar(place.host_kind)}"


def _list(items: Iterable[str]) -> str:
    return f"[{', '.join(map(_scalar, items))}]"


def _scalar(text: str) -> str:
    r"""Write a string, in quotes where YAML could read something else in it.

    >>> _scalar("1.10"), _scalar("no"), _scalar("docker.io/*"), _scalar("https://x.example/\u00fc")
    ('"1.10"', '"no"', 'docker.io/*', '"https://x.example/\\xfc"')
    """
    if _PLAIN.fullmatch(text) and text.lower() not in _NO_STRINGS:
        return text
    return '"' + _escaped(text).replace('"', r"\"") + '"'


def _escaped(text: str) -> str:
    # Python's escapes are a part of YAML's (YAML 1.2.2, section 5.7).
    return text.encode("unicode_escape").decode("ascii")
