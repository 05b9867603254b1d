"""Whatever the text: rewriting twice is rewriting once, what is not replaced stays, and the origin comes back."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from conftest import examples
from hypothesis import given
from hypothesis import strategies as st

from crane_mirrors import Choice, load
from crane_mirrors.rewrite.engine import blocks, rewrite_stream
from crane_mirrors.rewrite.rules import Rules

if TYPE_CHECKING:
    from collections.abc import Callable

    from crane_mirrors.model import Kind
    from crane_mirrors.rewrite.index import Index


@cache
def _index(mirror: str) -> Index:
    kinds: tuple[Kind, ...] = ("image", "helm", "git", "raw")
    return Rules(load(), dict.fromkeys(kinds, Choice((mirror,)))).index()


def _portions(data: bytes, size: int = 1 << 20) -> Callable[[int], bytes]:
    at = 0

    def read(most: int) -> bytes:
        nonlocal at
        portion = data[at : at + min(size, most)]
        at += len(portion)
        return portion

    return read


def _rewritten(data: bytes, mirror: str, size: int = 1 << 20) -> bytes:
    written: list[bytes] = []
    rewrite_stream(_portions(data, size), written.append, _index(mirror))
    return b"".join(written)


CANONICAL = [
    *(str(entry.origin.location) for entry in load().entries()),
    "https://raw.githubusercontent.com/gocrane/crane/main/deploy/values.yaml",
    "https://github.com/gocrane/helm-charts/blob/main/README.md",
    "https://gocrane.github.io/helm-charts/crane-0.1.0.tgz",
]
MIRRORED = [str(place.location) for entry in load().entries() for place in entry.mirrors]
SNIPPETS = [
    *("gocrane/craned", "gocrane/crane", "git@github.com:gocrane/crane.git", "github.com/gocrane/", "https://"),
    *("/issues/1", ":main", "?download=false", "#L1", ".git", "image:", "FROM", "${X}", "\u662f", *"\"'`()[]<>,.;|=/"),
]
SPACES = [" ", "\n", "\r\n", "\t", "\0", "@sha256:" + "a" * 64]
PIECES = st.sampled_from([*CANONICAL, *MIRRORED, *SNIPPETS, *SPACES]).map(str.encode)
TEXTS = st.lists(PIECES | st.binary(max_size=4), max_size=12).map(b"".join)
MIRRORS = st.sampled_from(["coding", "gitee", "ghcr", "dockerhub", "github", "origin"])


@examples(5000)
@given(TEXTS, MIRRORS)
def test_twice_is_once(text: bytes, mirror: str) -> None:
    """Whatever stands there already is what it would become."""
    once = _rewritten(text, mirror)
    assert _rewritten(once, mirror) == once


@examples(4000)
@given(TEXTS, MIRRORS, st.integers(1, 700))
def test_what_is_not_replaced_stays(text: bytes, mirror: str, size: int) -> None:
    """Every byte outside of the replaced strings, however the text comes in."""
    old = new = b""
    for block in blocks(_portions(text, size), _index(mirror)):
        old += block.text[block.start : block.stop]
        kept = block.start
        for start, end, replacement in block.spans:
            assert kept <= start < end <= block.stop
            assert b"\n" not in block.text[start:end] + replacement
            kept = end
        new += block.rewritten
    assert old == text
    assert new == _rewritten(text, mirror)


@examples(4000)
@given(
    st.lists(st.sampled_from(CANONICAL), min_size=1, max_size=5),
    st.sampled_from(["coding", "gitee", "ghcr"]),
    st.data(),
)
def test_canonical_strings_come_back(strings: list[str], mirror: str, data: st.DataObject) -> None:
    """From any mirror, in any surroundings that end a name."""
    between = st.sampled_from([" ", "\n", '"', "' '", "\t", " | ", "`", "), (", ">, <", "\uff0c", "\r\n"])
    text = "".join(data.draw(between) + string for string in strings) + data.draw(between)
    there = _rewritten(text.encode(), mirror)
    assert _rewritten(there, "origin") == text.encode()
