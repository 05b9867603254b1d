"""Git's pkt-lines and the refs in them (gitprotocol-common, gitprotocol-http, gitprotocol-v2)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from crane_mirrors.live.causes import Failed

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FLUSH", "packet", "packets", "refs_of"]

FLUSH = b"0000"

_OBJECT = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def packet(text: str) -> bytes:
    """Write one line as a packet.

    >>> packet("version 2\\n")
    b'000eversion 2\\n'
    """
    data = text.encode()
    return b"%04x" % (len(data) + 4) + data


def packets(data: bytes) -> Iterator[bytes | None]:
    """Part data into packets, None for a flush, a delimiter or a response end. Raises Failed when it is broken.

    >>> list(packets(b"0006a\\n0000"))
    [b'a\\n', None]
    """
    position = 0
    while position < len(data):
        head = data[position : position + 4]
        if len(head) < 4 or not re.fullmatch(rb"[0-9a-fA-F]{4}", head):
            raise Failed("broken pkt-line")
        size = int(head, 16)
        if size < 3:
            yield None
            position += 4
            continue
        if size == 3 or position + size > len(data):
            raise Failed("broken pkt-line" if size == 3 else "truncated")
        yield data[position + 4 : position + size]
        position += size


def refs_of(lines: Iterator[bytes | None]) -> dict[str, str]:
    """Read ``OBJECT REF`` lines into ref → object, without peeled tags and capabilities. Raises Failed."""
    refs: dict[str, str] = {}
    for line in lines:
        if line is None:
            continue
        text = line.partition(b"\0")[0].rstrip(b"\n")
        if text.startswith(b"ERR "):
            raise Failed("the server says: " + ascii(text[4:204].decode("utf-8", "replace"))[1:-1])
        number, space, name = text.partition(b" ")
        if not space or not _OBJECT.fullmatch(number):
            raise Failed("broken pkt-line")
        ref = name.partition(b" ")[0].decode("utf-8", "surrogateescape")
        if not ref.endswith("^{}"):
            refs[ref] = number.decode()
    refs.pop("capabilities", None)
    return refs
