"""``registries.yaml`` of k3s and rke2: https://docs.k3s.io/installation/private-registry.

It has servers for each registry, and ``rewrite``: regular expressions (Go's) for the paths that they are asked for. The
registry itself is asked last, with the path as it was; releases before January 2024 rewrote that one as well. One
rewriting serves all servers of a registry, so of an entry's mirrors those count that have the best one's path. Where
several patterns match, any of them may be taken. So patterns are exact, and what lies under a folder that is rewritten
as a whole cannot have a pattern of its own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from crane_mirrors.targets._base import Configuration, File, LeftOut, Target
from crane_mirrors.targets._redirects import Redirect, api_host, merged, redirects, some, spot_of, swept_along

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from crane_mirrors.model import Kind
    from crane_mirrors.targets._base import Copies, Options

__all__ = ["Rancher", "pattern"]


class _Rule(NamedTuple):
    """A name on one registry, the path that is asked for instead, and the hosts that have it there."""

    redirect: Redirect
    path: str
    new: str
    hosts: tuple[str, ...]

    @property
    def is_wide(self) -> bool:
        """Whether it rewrites all that is below its path."""
        return self.redirect.entry.is_prefix and self.path != self.new


class Rancher(Target):
    """One entry of ``mirrors`` for each registry that has better copies elsewhere."""

    kinds: ClassVar[tuple[Kind, ...]] = ("image",)
    paths: ClassVar[tuple[str, ...]] = ("registries.yaml",)

    def configure(self, rows: Sequence[Copies], options: Options) -> Configuration:
        """Write the file; left out is what a rewriting of all around it would catch, too."""
        registries: dict[str, list[_Rule]] = {}
        for redirect in redirects(rows):
            registries.setdefault(spot_of(redirect.place).registry, []).append(_rule(redirect))
        left_out: list[LeftOut] = []
        blocks = ["mirrors:\n"]
        notes: list[str] = []
        for registry, rules in sorted(registries.items()):
            kept = _without_covered(rules, left_out)
            hosts = merged(dict.fromkeys(rule.hosts for rule in kept))
            blocks.append(_block(registry, hosts, kept))
            whole = {host for rule in kept if not rule.path for host in rule.hosts}
            partly = ", ".join(host for host in hosts if host not in whole)
            if partly:
                notes.append(f"{self.name} asks {partly} for every repository of {registry}, before {registry}")
        unused = _unused(registries)
        if unused:
            notes.append(f"{self.name} has one path for all mirrors of an image, so these are not used: {unused}")
        notes += swept_along(rows, registries, self.name)
        notes.append(f"{self.name} reads the file when it starts")
        return Configuration((File(self.paths[0], "".join(blocks)),), tuple(left_out), tuple(notes))


def _rule(redirect: Redirect) -> _Rule:
    spots = [spot_of(mirror) for mirror in redirect.better]
    new = spots[0].path
    return _Rule(redirect, spot_of(redirect.place).path, new, tuple(s.registry for s in spots if s.path == new))


def _without_covered(rules: Sequence[_Rule], left_out: list[LeftOut]) -> list[_Rule]:
    wide = {rule.path: rule.redirect.place for rule in rules if rule.is_wide}
    kept: list[_Rule] = []
    for rule in rules:
        cover = next((wide[path] for path in _above(rule.path) if path in wide), None) if wide else None
        if cover is None:
            kept.append(rule)
        elif rule.redirect.place.is_origin:
            entry, place = rule.redirect.entry, rule.redirect.better[0]
            reason = f"all of {cover.location} is rewritten, and of two patterns that match either may be taken"
            left_out.append(LeftOut(entry.kind, entry.name, place.name, reason, ("registries.conf", "kyverno")))
    return kept


def _above(path: str) -> Iterator[str]:
    """Give the folders that a path lies in, the registry itself (an empty path) at last."""
    while path:
        path = path.rpartition("/")[0]
        yield path


def _unused(registries: dict[str, list[_Rule]]) -> str:
    rules = [rule for rules in registries.values() for rule in rules if rule.redirect.place.is_origin]
    names = [
        f"{mirror.location}"
        for rule in rules
        for mirror in rule.redirect.better
        if len(rule.hosts) < len(rule.redirect.better) and spot_of(mirror).path != rule.new
    ]
    return some(names)


def _block(registry: str, hosts: Sequence[str], rules: Sequence[_Rule]) -> str:
    endpoints = "".join(f"      - {_quoted(f'https://{api_host(host)}')}\n" for host in hosts)
    lines = [
        f"      {_quoted(old)}: {_quoted(new)}\n"
        for old, new in (pattern(rule.path, rule.new, wide=rule.is_wide) for rule in rules if rule.path != rule.new)
    ]
    return f"  {_quoted(registry)}:\n    endpoint:\n{endpoints}" + ("    rewrite:\n" if lines else "") + "".join(lines)


def pattern(old: str, new: str, *, wide: bool) -> tuple[str, str]:
    r"""Give a regular expression for exactly one path, or all below it, and what it is replaced by.

    >>> pattern("gocrane/a.b", "x/a.b", wide=False), pattern("", "hub", wide=True)
    (('^gocrane/a\\.b$', 'x/a.b'), ('^(.*)$', 'hub/$1'))
    """
    # Go's `$1` takes every letter behind it for its name, and `$$` is a dollar; no path has either.
    if not wide:
        return f"^{_escaped(old)}$", new
    return f"^{_escaped(old)}/(.*)$" if old else "^(.*)$", f"{new}/$1" if new else "$1"


def _escaped(path: str) -> str:
    # Not re.escape: it puts a backslash before hyphens, too, and a person is to read this.
    return re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", path)


def _quoted(text: str) -> str:
    """Write a single-quoted scalar of YAML, in which a backslash is itself; no text here has a line break."""
    return "'" + text.replace("'", "''") + "'"
