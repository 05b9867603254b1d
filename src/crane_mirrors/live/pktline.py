"""Git's pkt-lines and the refs in them (gitprotocol-common, gitprotocol-pack, gitprotocol-v2)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from crane_mirrors.live.causes import Failed
from crane_mirrors.model import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["DELIMITER", "FLUSH", "packet", "packets", "refs_of"]

FLUSH = b"0000"
DELIMITER = b"0001"

MAX_REFS = 210_000
"""How many refs are kept: a hundred thousand tags, and what each is peeled to."""

_OBJECT = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_LENGTH = re.compile(rb"[0-9a-fA-F]{4}")


def packet(text: str) -> bytes:
    """Write one line as a packet.

    >>> packet("version 2\\n")
    b'000eversion 2\\n'
    """
    data = text.encode()
    return b"%04x" % (len(data) + 4) + data


def packets(data: bytes) -> Iterator[bytes | None]:
    """Part data into packets, None for a flush, a delimiter or a response's end. Raises Failed when it is broken.

    >>> list(packets(b"0006a\\n0000"))
    [b'a\\n', None]
    """
    position = 0
    while position < len(data):
        head = data[position : position + 4]
        if not _LENGTH.fullmatch(head):
            raise Failed("truncated" if len(head) < 4 else "broken pkt-line")
        size = int(head, 16)
        if size < 3:
            yield None
            position += 4
            continue
        if size == 3:
            raise Failed("broken pkt-line")
        if position + size > len(data):
            raise Failed("truncated")
        yield data[position + 4 : position + size]
        position += size


def refs_of(lines: Iterable[bytes]) -> dict[str, str]:
    """Read ``OBJECT REF`` lines into ref → object, without peeled tags and capabilities. Raises Failed."""
    refs: dict[str, str] = {}
    for count, line in enumerate(lines):
        if count >= MAX_REFS:
            raise Failed("too many refs")
        text = line.partition(b"\0")[0].rstrip(b"\n")
        if text.startswith(b"ERR "):
            raise Failed(f"the server says {shown(text[4:].decode('utf-8', 'replace'))}")
        number, space, name = text.partition(b" ")
        if not space or not _OBJECT.fullmatch(number):
            if number == b"shallow":
                continue
            raise Failed("broken pkt-line")
        ref = name.partition(b" ")[0].decode("utf-8", "surrogateescape")
        if not ref.endswith("^{}"):
            refs[ref] = number.decode()
    return refs
