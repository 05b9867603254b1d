"""What a rewriting changes, line by line: for reports, and as a unified diff."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from crane_mirrors.rewrite.engine import blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from crane_mirrors.rewrite.engine import Block
    from crane_mirrors.rewrite.index import Index

__all__ = ["Change", "changes", "has_changes", "unified_diff"]

_CONTEXT = 3


class Change(NamedTuple):
    """One string that was replaced, and the line it stands in, from 1."""

    line: int
    old: bytes
    new: bytes


def has_changes(read: Callable[[int], bytes], index: Index) -> bool:
    """Tell whether anything would be replaced; reads no further than that takes."""
    return any(block.spans for block in blocks(read, index))


def changes(block: Block, line: int) -> Iterator[Change]:
    """Give what is replaced in a block whose first own byte stands in the given line."""
    done = block.start
    for start, end, new in block.spans:
        line += block.text.count(b"\n", done, start)
        done = start
        yield Change(line, block.text[start:end], new)


def unified_diff(name: str, read: Callable[[int], bytes], index: Index) -> Iterator[bytes]:
    """Give the lines of a unified diff, nothing when there is no change.

    No replacement has a line feed in it, so that old and new lines stand face to face, and no search is needed.
    """
    hunk: list[tuple[bytes, bytes]] | None = None
    before: deque[tuple[bytes, bytes]] = deque(maxlen=_CONTEXT)
    label = name.encode("utf-8", "surrogateescape")
    first = same = 0
    headed = False
    for number, pair in enumerate(_line_pairs(blocks(read, index)), start=1):
        changed = pair[0] != pair[1]
        if changed and hunk is None:
            first, hunk = number - len(before), list(before)
        same = 0 if changed else same + 1
        if hunk is not None:
            hunk.append(pair)
        before.append(pair)
        if hunk is not None and same == 2 * _CONTEXT + 1:
            yield from _header(label, headed=headed)
            yield from _hunk(first, hunk[: -_CONTEXT - 1])
            headed, hunk = True, None
    if hunk is not None:
        yield from _header(label, headed=headed)
        yield from _hunk(first, hunk[: len(hunk) - max(0, same - _CONTEXT)])


def _header(label: bytes, *, headed: bool) -> Iterator[bytes]:
    if not headed:
        # Without a tab behind it, patch takes a name to end at its first space.
        end = b"\t" * (b" " in label) + b"\n"
        yield b"--- a/" + label + end
        yield b"+++ b/" + label + end


def _hunk(first: int, pairs: list[tuple[bytes, bytes]]) -> Iterator[bytes]:
    size = f"{first},{len(pairs)}" if len(pairs) != 1 else f"{first}"
    yield f"@@ -{size} +{size} @@\n".encode()
    old: list[bytes] = []
    new: list[bytes] = []
    for before, after in pairs:
        if before != after:
            old.append(b"-" + before)
            new.append(b"+" + after)
            continue
        yield from map(_ended, (*old, *new))
        old, new = [], []
        yield _ended(b" " + before)
    yield from map(_ended, (*old, *new))


def _ended(line: bytes) -> bytes:
    return line if line.endswith(b"\n") else line + b"\n\\ No newline at end of file\n"


def _line_pairs(pieces: Iterable[Block]) -> Iterator[tuple[bytes, bytes]]:
    old = new = b""
    for block in pieces:
        old += block.text[block.start : block.stop]
        new += block.rewritten
        *old_lines, old = old.split(b"\n")
        *new_lines, new = new.split(b"\n")
        for pair in zip(old_lines, new_lines, strict=True):
            yield pair[0] + b"\n", pair[1] + b"\n"
    if old or new:
        yield old, new
