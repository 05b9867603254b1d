"""Helm's index.yaml: which versions a repository has, read piece by piece, since some indexes have 20 MB.

https://helm.sh/docs/topics/chart_repository/#the-index-file. Only a few fields are kept; there are no
aliases, for Helm writes none.
"""

from __future__ import annotations

import json
from datetime import datetime
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from crane_mirrors.live.causes import Failed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    _Row = tuple[str, str, "Chart"]

__all__ = ["Chart", "parse_index"]

MAX_VERSIONS = 150_000
_MAX_COMMAS, _MAX_LISTS = 1_000_000, 400_000
"""What JSON may hold in all: it is read as a whole, and three bytes of it can take sixty in memory."""

_LONGEST = 256
"""How long names, versions and digests are, at most: a long name is told once for each of its versions."""

_LARGE = 2**22
_OFTEN = 4096
_DEEPEST = 100


class Chart(NamedTuple):
    """One version's archive: its SHA-256 if the index says, when it was made (POSIX time), and the host to ask."""

    digest: str | None = None
    created: float | None = None
    host: str | None = None


def parse_index(body: bytes, late: Callable[[], bool] = lambda: False) -> dict[tuple[str, str], Chart]:
    """Read an index, in YAML or JSON, into (chart, version) → what is known. Raises Failed; ``late`` ends it early.

    >>> parse_index(b"apiVersion: v1\\nentries: {a: [{version: 1.10, digest: ab, urls: [a-1.10.tgz]}]}")
    {('a', '1.10'): Chart(digest='ab', created=None, host=None)}
    """
    rows = _json_rows(body) if body[:4096].lstrip()[:1] == b"{" else _yaml_rows(body, late)
    charts: dict[tuple[str, str], Chart] = {}
    for number, (name, version, chart) in enumerate(rows):
        if number >= MAX_VERSIONS:
            raise Failed("index too large")
        if max(len(name), len(version), len(chart.digest or "")) > _LONGEST:
            raise Failed("not a helm index")
        if version:
            charts.setdefault((name, version), chart)
    return charts


def _chart(fields: dict[str, Any]) -> Chart:
    digest, created, url = fields.get("digest"), fields.get("created"), fields.get("urls")
    return Chart(
        digest.removeprefix("sha256:").lower() if isinstance(digest, str) and digest else None,
        _time(created) if isinstance(created, str) else None,
        _host(url) if isinstance(url, str) else None,
    )


def _time(text: str) -> float | None:
    head, point, fraction = text.partition(".")
    if point:
        # Go writes nanoseconds, Python reads microseconds.
        digits = fraction[: len(fraction) - len(fraction.lstrip("0123456789"))]
        text = f"{head}.{digits[:6]}{fraction[len(digits) :]}"
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).netloc.rpartition("@")[2].lower() or None
    except ValueError:
        return None


def _json_rows(body: bytes) -> Iterator[_Row]:
    if body.count(b",") > _MAX_COMMAS or body.count(b"[") > _MAX_LISTS:
        raise Failed("index too large")
    objects, versions = count(), count()

    def slim(pairs: list[tuple[str, Any]]) -> Any:
        found = dict(pairs)
        if not isinstance(found.get("version"), str):
            if next(objects) > _MAX_LISTS:
                raise Failed("index too large")
            return found
        if next(versions) >= MAX_VERSIONS:
            raise Failed("index too large")
        urls = found.get("urls")
        found["urls"] = urls[0] if isinstance(urls, list) and urls else None
        return _Versioned((found["version"], _chart(found)))

    try:
        index = json.loads(_text(body), object_pairs_hook=slim)
    except (ValueError, RecursionError):
        raise Failed("broken json") from None
    entries = index.get("entries") if isinstance(index, dict) else None
    if not isinstance(entries, dict):
        raise Failed("not a helm index")
    for name, versions in entries.items():
        for row in versions if isinstance(versions, list) else ():
            if isinstance(row, _Versioned):
                yield (name, *row)


class _Versioned(tuple[str, Chart]):
    """An object of JSON that has a version, and what is kept of it."""

    __slots__ = ()


def _text(body: bytes) -> str:
    """Decode; of a large text without the few characters that would make it take four bytes for each of all others."""
    if len(body) <= _LARGE:
        return body.decode()
    return body.translate(None, b"\xf0\xf1\xf2\xf3\xf4").decode(errors="replace")


def _yaml_rows(body: bytes, late: Callable[[], bool]) -> Iterator[_Row]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        yield from _rows_of(_events(yaml.parse(body, Loader=loader), late))
    except (yaml.YAMLError, UnicodeError, ValueError):
        raise Failed("broken yaml") from None


def _events(source: Iterator[Any], late: Callable[[], bool]) -> Iterator[tuple[str, str]]:
    """Name each event: ``[`` or ``{`` opens, ``]`` closes, ``=`` is a scalar, with its text. Raises Failed."""
    import yaml

    depth = 0
    for number, event in enumerate(source):
        if not number % _OFTEN and late():
            raise Failed("timeout")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise Failed("nested too deeply")
        if isinstance(event, yaml.ScalarEvent):
            yield "=", event.value
        elif isinstance(event, yaml.MappingStartEvent):
            yield "{", ""
        elif isinstance(event, yaml.SequenceStartEvent):
            yield "[", ""
        elif isinstance(event, yaml.CollectionEndEvent):
            yield "]", ""
        elif isinstance(event, yaml.AliasEvent):
            raise Failed("an alias in the index")


def _rows_of(events: Iterator[tuple[str, str]]) -> Iterator[_Row]:
    found = False
    for key, kind in _pairs(events, next(events, ("", ""))[0]):
        if key != "entries":
            _skip(events, kind)
            continue
        found = True
        for name, versions in _pairs(events, kind):
            for item in _items(events, versions):
                fields = _fields(events, item)
                yield name, fields.get("version", ""), _chart(fields)
    if not found:
        raise Failed("not a helm index")


def _fields(events: Iterator[tuple[str, str]], kind: str) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if kind != "{":
        _skip(events, kind)
        return fields
    while (event := next(events))[0] != "]":
        key = event[1]
        if event[0] != "=":
            _skip(events, event[0])
        value = next(events)
        if value[0] == "=":
            fields[key] = value[1]
        elif key == "urls" and value[0] == "[":
            first = next(events)
            fields[key] = first[1]
            if first[0] != "]":
                _skip(events, first[0])
                _skip(events, "[")
        else:
            _skip(events, value[0])
    return fields


def _pairs(events: Iterator[tuple[str, str]], kind: str) -> Iterator[tuple[str, str]]:
    """Give each key of a mapping that has begun with the kind of its value, which the caller reads."""
    if kind != "{":
        _skip(events, kind)
        return
    while (event := next(events))[0] != "]":
        if event[0] != "=":
            _skip(events, event[0])
        yield event[1], next(events)[0]


def _items(events: Iterator[tuple[str, str]], kind: str) -> Iterator[str]:
    if kind != "[":
        _skip(events, kind)
        return
    while (event := next(events))[0] != "]":
        yield event[0]


def _skip(events: Iterator[tuple[str, str]], kind: str) -> None:
    """Read to the end of what has begun."""
    depth = 1 if kind in ("{", "[") else 0
    while depth:
        kind = next(events)[0]
        depth += (kind in ("{", "[")) - (kind == "]")
