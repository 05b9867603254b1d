"""In which way a mirror's copy differs from the origin: behind it, or of other descent; pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crane_mirrors.live.charts import Chart

__all__ = ["Difference", "compare_charts", "compare_digests", "compare_refs", "signature"]

_TAGS = "refs/tags/"


@dataclass(frozen=True, slots=True)
class Difference:
    """What a mirror lacks (``behind``), and what it has that the origin never had (``foreign``), for people to read.

    Of each of the ``suspects`` (object → what is said of it) only the origin can tell which of both it is. ``since`` is
    when the origin got the oldest thing that is lacking (POSIX time), where the origin says so.
    """

    behind: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    suspects: Mapping[str, str] = field(default_factory=dict)
    since: float | None = None
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Tell whether there is any."""
        return bool(self.behind or self.foreign or self.suspects)

    def settled(self, known: set[str]) -> Difference:
        """Put each suspect where it belongs, given the objects that the origin has."""
        behind = [text for item, text in self.suspects.items() if item in known]
        foreign = [f"{text}; the origin has no {item}" for item, text in self.suspects.items() if item not in known]
        return Difference((*self.behind, *behind), (*self.foreign, *foreign), {}, self.since, self.notes)


def compare_digests(origin: str, mirror: str, *, immutable: bool, what: str) -> Difference:
    """Compare one digest; other bytes under an immutable name are foreign at once.

    >>> compare_digests("sha256:a", "sha256:b", immutable=True, what="v1").foreign
    ('v1 is sha256:b, at the origin sha256:a',)
    """
    if origin == mirror:
        return Difference()
    text = f"{what} is {mirror}, at the origin {origin}"
    return Difference(foreign=(text,)) if immutable else Difference(suspects={mirror: text})


def compare_charts(origin: Mapping[tuple[str, str], Chart], mirror: Mapping[tuple[str, str], Chart]) -> Difference:
    """Compare two indexes by (chart, version) → digest; a version's bytes may never change.

    >>> from crane_mirrors.live.charts import Chart
    >>> compare_charts({("a", "1"): Chart(created=5.0), ("a", "2"): Chart(created=7.0)}, {("a", "1"): Chart()}).behind
    ('a 2 is missing',)
    """
    missing = [key for key in origin if key not in mirror]
    foreign = [f"{name} {version} is not at the origin" for name, version in mirror if (name, version) not in origin]
    for key, chart in mirror.items():
        there = origin.get(key)
        if there and chart.digest and there.digest and chart.digest != there.digest:
            foreign.append(f"{key[0]} {key[1]} is {chart.digest}, at the origin {there.digest}")
    created = [time for key in missing if (time := origin[key].created) is not None]
    return Difference(
        tuple(f"{name} {version} is missing" for name, version in missing),
        tuple(foreign),
        since=min(created, default=None) if len(created) == len(missing) else None,
    )


def compare_refs(origin: Mapping[str, str], mirror: Mapping[str, str]) -> Difference:
    """Compare heads and tags; a tag that moved is foreign, of a head that differs only the origin can tell.

    >>> compare_refs({"refs/heads/main": "b"}, {"refs/heads/main": "a"}).suspects
    {'a': 'refs/heads/main is at a, at the origin b'}
    """
    behind: list[str] = []
    foreign: list[str] = []
    suspects: dict[str, str] = {}
    for ref, there in origin.items():
        here = mirror.get(ref)
        if here is None:
            behind.append(f"{ref} is missing")
        elif here != there and ref.startswith(_TAGS):
            foreign.append(f"{ref} is at {here}, at the origin {there}")
        elif here != there:
            suspects.setdefault(here, f"{ref} is at {here}, at the origin {there}")
    for ref, here in mirror.items():
        if ref not in origin:
            suspects.setdefault(here, f"{ref} is at {here}, and is not at the origin")
    return Difference(tuple(behind), tuple(foreign), suspects)


def signature(facts: object) -> str:
    """Give a short text that changes whenever what a copy has changes.

    >>> signature("sha256:a") == signature("sha256:a"), signature({"b": "1"}) == signature({"b": "2"})
    (True, False)
    """
    if isinstance(facts, dict):
        facts = sorted((str(key), str(getattr(value, "digest", value))) for key, value in facts.items())
    return hashlib.sha256(repr(facts).encode("utf-8", "surrogatepass")).hexdigest()[:32]
