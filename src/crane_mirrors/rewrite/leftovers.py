"""What a text still needs from hosts that are hard to reach, and no mirror has."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from crane_mirrors.errors import CraneMirrorsError
from crane_mirrors.reference import Reference
from crane_mirrors.resolve.locate import locate
from crane_mirrors.rewrite.bare import CONTEXT
from crane_mirrors.url import URL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crane_mirrors.catalogue import Catalogue
    from crane_mirrors.rewrite.engine import Block

__all__ = ["Leftover", "leftovers"]

_REFERENCE = rb"[A-Za-z0-9][A-Za-z0-9._:/@-]*"


class Leftover(NamedTuple):
    """A string that names something on a host that is hard to reach, and the line it stands in, from 1."""

    line: int
    text: str
    host: str


@cache
def _pattern() -> re.Pattern[bytes]:
    """Match URLs on the hosts (1), references that name their registry (2), and bare images in clear places (3)."""
    hosts = rb"(?:[\w-]+\.)*(?:github\.com|githubusercontent\.com|github\.io|docker\.io|hub\.docker\.com|ghcr\.io)"
    path = rb"[/:][^\s\"'`<>()\[\]{}|\\,;]*"
    return re.compile(
        rb"(?i:((?:https?|ssh|git|oci)://(?:[^\s/@\"']*@)?" + hosts + path + rb"|git@github\.com:[^\s\"'`<>()]+)"
        rb"|(?<![\w./:@-])((?:docker://)?(?:(?:index|registry-1)\.docker\.io|docker\.io|ghcr\.io)/"
        + _REFERENCE
        + rb"))"
        rb"|" + CONTEXT + rb"(" + _REFERENCE + rb")"
    )


def leftovers(catalogue: Catalogue, block: Block, line: int) -> Iterator[Leftover]:
    """Give a block's leftovers; its first own byte stands in the given line.

    What the catalogue knows is none, wherever it points; a password in a URL is left out of the text.
    """
    done = block.start
    replaced = {start for start, _, _ in block.spans}
    for match in _pattern().finditer(block.text, block.start, min(len(block.text), block.stop + 1024)):
        start = match.start(match.lastindex or 0)
        if not block.start <= start < block.stop or start in replaced:
            continue
        text = match[match.lastindex or 0].rstrip(b".,:!?*").decode("utf-8", "replace")
        if match.lastindex == 3 and ":" not in text:
            continue  # a build stage, or a picture's file name
        found = _unmirrored(catalogue, text) if match.lastindex == 1 else _unmirrored_image(catalogue, text)
        if found:
            line += block.text.count(b"\n", done, start)
            done = start
            yield Leftover(line, *found)


def _unmirrored(catalogue: Catalogue, text: str) -> tuple[str, str] | None:
    try:
        url = URL.parse(text)
        # A URL with a password is never rewritten, whoever has a mirror.
        secret = "://" in text and "@" in text.partition("://")[2].partition("/")[0].removeprefix("git@")
        return (str(url), url.host) if secret or not locate(catalogue, url) else None
    except CraneMirrorsError:
        return None


def _unmirrored_image(catalogue: Catalogue, text: str) -> tuple[str, str] | None:
    try:
        reference = Reference.parse(text.removeprefix("docker://"))
        if reference.repository.registry not in ("docker.io", "ghcr.io"):
            return None
        known = catalogue.covering("image", str(reference.repository))
        return None if known else (text, reference.repository.registry)
    except CraneMirrorsError:
        return None
