"""Images in a text that are to be named by a digest that is there: which there are, and what each becomes."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from crane_mirrors.catalogue.entry import Entry

__all__ = ["Pins"]


@cache
def _tag() -> re.Pattern[bytes]:
    # A full stop behind a tag is the sentence's; an expansion or a digest makes it something else.
    return re.compile(rb":([A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,126}[A-Za-z0-9_])?)(?!\.*[A-Za-z0-9_/@$<{%*:-])")


@cache
def _digest() -> re.Pattern[bytes]:
    return re.compile(
        rb"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?@(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})(?![A-Za-z0-9])"
    )


class Pins:
    """Collects the images of a text while it is read, and replaces those whose reference is known by then.

    ``wanted`` holds ``ORIGIN:TAG`` and ``ORIGIN@DIGEST`` in the order of the text, ``references`` what each becomes:
    a tag together with the name, a digest stays and only the name before it changes.
    """

    def __init__(self, entry_of: Callable[[bytes], Entry | None]) -> None:
        """Take what tells which entry the name of an image means, if any."""
        self._entry_of = entry_of
        self.wanted: dict[str, None] = {}
        self.references: dict[str, str] = {}

    @property
    def unknown(self) -> list[str]:
        """What is still to be looked up."""
        return [key for key in self.wanted if key not in self.references]

    def __call__(self, name: bytes, rest: bytes) -> tuple[int, bytes] | None:
        """Give how much of what follows a name is replaced with it, and what both together become."""
        tag = _tag().match(rest)
        found = tag or _digest().match(rest)
        entry = found and self._entry_of(name)
        if not found or not entry:
            return None
        key = f"{entry.origin.location}{':' if tag else '@'}{found[1].decode()}"
        self.wanted.setdefault(key)
        reference = self.references.get(key)
        return None if reference is None else (tag.end() if tag else 0, reference.encode())
