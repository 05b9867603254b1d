"""Images in a text that are to be named by digest: which there are, and what each becomes."""

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
    return re.compile(rb":([A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,126}[A-Za-z0-9_])?)(?![A-Za-z0-9_/@$<{%*:-])")


class Pins:
    """Collects the tagged images of a text while it is read, and replaces those whose reference is known by then.

    ``wanted`` holds ``ORIGIN:TAG`` in the order of the text, ``references`` what each becomes.
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
        """Give how much of what follows a name is its tag, and the reference that both together become."""
        tag = _tag().match(rest)
        entry = tag and self._entry_of(name)
        if not tag or not entry:
            return None
        key = f"{entry.origin.location}:{tag[1].decode()}"
        self.wanted.setdefault(key)
        reference = self.references.get(key)
        return None if reference is None else (tag.end(), reference.encode())
