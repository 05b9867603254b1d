"""A unified diff whose time does not explode with files that say much the same ten thousand times."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from difflib import Match, SequenceMatcher
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["unified_diff"]

_CONTEXT = 3
_SMALL = 200
"""How many lines between two fixed points are compared each with each."""


def unified_diff(old: Sequence[str], new: Sequence[str], before: str, after: str) -> Iterator[str]:
    r"""Give the lines of a diff, nothing for two equal texts; each line of the texts ends with a line feed.

    >>> print("".join(unified_diff(["a\n", "b\n"], ["a\n", "c\n"], "old", "new")), end="")
    --- old
    +++ new
    @@ -1,2 +1,2 @@
     a
    -b
    +c
    """
    # Without a tab behind it, patch takes a name to end at its first space.
    head = [f"{sign} {name}" + "\t" * (" " in name) + "\n" for sign, name in (("---", before), ("+++", after))]
    for group in _Matcher(old, new).get_grouped_opcodes(_CONTEXT):
        yield from head
        head = []
        ranges = (_range(group[0][1], group[-1][2]), _range(group[0][3], group[-1][4]))
        yield "@@ -{} +{} @@\n".format(*ranges)
        for tag, start, end, new_start, new_end in group:
            if tag == "equal":
                yield from (f" {line}" for line in old[start:end])
            else:
                yield from (f"-{line}" for line in old[start:end])
                yield from (f"+{line}" for line in new[new_start:new_end])


def _range(start: int, end: int) -> str:
    size = end - start
    # An empty range names the line before it (diff(1) of POSIX, "Diff -u Output Format").
    return f"{start + 1}" if size == 1 else f"{start + bool(size)},{size}"


class _Matcher(SequenceMatcher[str]):
    """Patience diff: lines that stand once in both texts are fixed points, and only what is between is searched."""

    def __init__(self, old: Sequence[str], new: Sequence[str]) -> None:
        super().__init__(None, old, new, autojunk=False)
        self.old, self.new = old, new

    def get_matching_blocks(self) -> list[Match]:
        """Give the parts that both texts have, in order; the last is empty, as the base class wants it."""
        old, new = self.old, self.new
        blocks: list[Match] = []
        start = new_start = 0
        for end, new_end in [*_fixed_points(old, new), (len(old), len(new))]:
            if end - start <= _SMALL and new_end - new_start <= _SMALL:
                between = SequenceMatcher(None, old[start:end], new[new_start:new_end], autojunk=False)
                for part in between.get_matching_blocks()[:-1]:
                    _add(blocks, start + part.a, new_start + part.b, part.size)
            if end < len(old):
                _add(blocks, end, new_end, 1)
            start, new_start = end + 1, new_end + 1
        return [*blocks, Match(len(old), len(new), 0)]


def _add(blocks: list[Match], start: int, new_start: int, size: int) -> None:
    last = blocks[-1] if blocks else Match(-1, -1, 0)
    if (last.a + last.size, last.b + last.size) == (start, new_start):
        blocks[-1] = Match(last.a, last.b, last.size + size)
    else:
        blocks.append(Match(start, new_start, size))


def _fixed_points(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """Give the longest run of lines that are unique in both texts and stand in one order: indices in old and new."""
    counts, new_counts = Counter(old), Counter(new)
    where = {line: index for index, line in enumerate(new) if new_counts[line] == 1}
    pairs = [(index, where[line]) for index, line in enumerate(old) if counts[line] == 1 and line in where]
    # The longest increasing subsequence: of all runs of a length, the one that ends earliest is kept.
    ends: list[int] = []
    lasts: list[int] = []
    before: list[int] = []
    for number, (_, position) in enumerate(pairs):
        length = bisect_left(ends, position)
        before.append(lasts[length - 1] if length else -1)
        ends[length : length + 1] = [position]
        lasts[length : length + 1] = [number]
    found: list[tuple[int, int]] = []
    number = lasts[-1] if lasts else -1
    while number >= 0:
        found.append(pairs[number])
        number = before[number]
    return found[::-1]
