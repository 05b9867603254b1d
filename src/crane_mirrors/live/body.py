"""Bodies, read and unpacked with a limit: httpx alone would unpack whatever comes out of a chunk."""

from __future__ import annotations

import asyncio
import zlib
from io import BytesIO
from typing import TYPE_CHECKING

from crane_mirrors.live.causes import Failed

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterator

__all__ = ["read_body"]

_PIECE = 2**18
"""How many bytes are unpacked at a time, at most: nobody else has a turn meanwhile."""


async def read_body(chunks: AsyncIterable[bytes], encoding: str, limit: int) -> tuple[bytes, bool]:
    """Read at most ``limit`` bytes of a body, unpacked, and tell whether there is more. Raises Failed."""
    encoding = encoding.strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise Failed("an encoding that nobody asked for")
    unpack = _Gzip() if encoding.endswith("gzip") else None
    # One buffer, whose bytes are handed on without a copy.
    body = BytesIO()
    async for chunk in chunks:
        for piece in (chunk,) if unpack is None else unpack.pieces(chunk):
            body.write(piece)
            if body.tell() > limit:
                body.truncate(limit)
                return body.getvalue(), True
            if unpack is not None:
                await asyncio.sleep(0)
    if unpack is not None and not unpack.complete:
        raise Failed("truncated")
    return body.getvalue(), False


class _Gzip:
    """Unpacks RFC 1952: one member or several."""

    def __init__(self) -> None:
        self._member: zlib._Decompress | None = None

    @property
    def complete(self) -> bool:
        """Whether nothing is missing at the end."""
        return self._member is None or self._member.eof

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """Unpack a chunk, piece by piece. Raises Failed."""
        piece = b""
        # A full piece may have left something behind that needs no more input.
        while chunk or (len(piece) == _PIECE and not self.complete):
            if self._member is None or self._member.eof:
                self._member = zlib.decompressobj(31)
            try:
                piece = self._member.decompress(chunk, _PIECE)
            except zlib.error:
                raise Failed("broken encoding") from None
            yield piece
            chunk = self._member.unconsumed_tail or self._member.unused_data
