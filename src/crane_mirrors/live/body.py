"""Bodies, read and unpacked with a limit: httpx alone would unpack whatever comes out of a chunk."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from crane_mirrors.live.causes import Failed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["read_body"]


async def read_body(chunks: AsyncIterator[bytes], encoding: str, limit: int) -> tuple[bytes, bool]:
    """Read at most ``limit`` bytes of a body, unpacked, and tell whether there is more. Raises Failed."""
    encoding = encoding.strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise Failed("an encoding that nobody asked for")
    unpack = zlib.decompressobj(31) if encoding.endswith("gzip") else None
    parts: list[bytes] = []
    length = 0
    async for chunk in chunks:
        data = chunk if unpack is None else _unpacked(unpack, chunk, limit - length + 1)
        parts.append(data[: limit - length + 1])
        length += len(parts[-1])
        if length > limit:
            return b"".join(parts)[:limit], True
    if unpack is not None and length and not unpack.eof:
        raise Failed("truncated")
    return b"".join(parts), False


def _unpacked(unpack: zlib._Decompress, chunk: bytes, limit: int) -> bytes:
    try:
        return unpack.decompress(chunk, limit)
    except zlib.error:
        raise Failed("broken encoding") from None
