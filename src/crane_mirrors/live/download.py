"""Download one file from one address: bounded, resumed where that is safe, never mixed with another answer's bytes."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol

from crane_mirrors.live.ask import Ask, is_login_page, media_type
from crane_mirrors.live.causes import Failed, NotThere, check_status
from crane_mirrors.live.receive import received
from crane_mirrors.live.trust import Trust

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from crane_mirrors.live.receive import Answer

__all__ = ["Bounds", "Downloader", "Source", "Store", "strong_validator"]

LEAST = 1024
"""How many bytes must come while ``Bounds.idle`` seconds pass: a server that drips keeps nobody for ever."""

RESUMPTIONS = 5
"""How often an answer that broke off is continued, as long as something came each time."""

_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18})")


class Source(NamedTuple):
    """An address; ``secret`` headers go to its own server only. What is there must have the hash, if one is known."""

    url: str
    secret: Mapping[str, str] = {}
    sha256: str | None = None


class Bounds(NamedTuple):
    """How many seconds may pass without progress, and how many bytes there may be."""

    idle: float
    size: int


class Store(Protocol):
    """Where the bytes go. ``length`` of them are there, from an answer that had this ``validator``, if any."""

    length: int
    validator: str | None

    def restart(self, validator: str | None) -> None:
        """Drop all bytes: those of another answer follow."""

    def write(self, chunk: bytes | memoryview) -> None:
        """Append bytes. Raises FileFailed."""


@dataclass(frozen=True, slots=True)
class Downloader:
    """Downloads files; ``tell`` hears how many bytes are there, and how many there will be."""

    bounds: Bounds
    tell: Callable[[int, int | None], None]
    trust: Trust = field(default_factory=Trust)

    def download(self, source: Source, store: Store) -> None:
        """Fill a store with the whole of a file.

        What the store has is continued if the server says that it is the same file still (RFC 9110, 13.1.5 and 14.2).
        Raises Failed with the cause; a store with a validator can be continued another time then.
        """
        for turn in range(RESUMPTIONS + 1):
            before = store.length
            try:
                if not self._continued(source, store):
                    store.restart(None)
                    self._continued(source, store)
                return
            except NotThere:
                raise
            except Failed:
                if turn == RESUMPTIONS or store.validator is None or store.length <= before:
                    raise

    def _continued(self, source: Source, store: Store) -> bool:
        """Ask for what is not there yet; False where the server's answer does not continue what is."""
        headers = {"Accept-Encoding": "identity"}
        if store.length and store.validator:
            headers |= {"Range": f"bytes={store.length}-", "If-Range": store.validator}
        ask = Ask(source.url, headers=headers, secret=source.secret)
        with received(ask, self.bounds.idle, self.trust) as answer:
            if "Range" in headers and answer.status == 416:
                return False
            _check(answer)
            validator = strong_validator(answer.headers)
            if answer.status == 206:
                if "Range" not in headers:
                    raise Failed("a part that nobody asked for")
                part = _RANGE.fullmatch(answer.headers.get("content-range", ""))
                if not part or int(part[1]) != store.length or validator != store.validator:
                    return False
                total: int | None = int(part[2])
            else:
                store.restart(validator)
                total = _length(answer.headers)
            if total is not None and total > self.bounds.size:
                raise self._too_large()
            self._copy(answer, store, total)
            if total is not None and store.length != total:
                raise Failed("truncated")
        return True

    def _copy(self, answer: Answer, store: Store, total: int | None) -> None:
        since, there = time.monotonic(), store.length
        self.tell(store.length, total)
        for chunk in answer.pieces:
            if store.length + len(chunk) > self.bounds.size:
                store.restart(None)  # there is no use in the beginning of what may not be had
                raise self._too_large()
            store.write(chunk)
            self.tell(store.length, total)
            now = time.monotonic()
            if now - since > self.bounds.idle:
                if store.length - there < LEAST:
                    raise Failed("timeout")
                since, there = now, store.length

    def _too_large(self) -> Failed:
        return Failed(f"larger than {self.bounds.size} bytes")


def _check(answer: Answer) -> None:
    check_status(answer.status, answer.headers)
    if is_login_page(media_type(answer.headers), answer.url):
        raise Failed("login page")
    if answer.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise Failed("an encoding that nobody asked for")


def strong_validator(headers: Mapping[str, str]) -> str | None:
    """Give what tells this answer's bytes from any others (RFC 9110, 8.8.1): a strong ETag, or a date that is one.

    >>> strong_validator({"etag": '"abc"'}), strong_validator({"etag": 'W/"abc"'})
    ('"abc"', None)
    """
    etag = headers.get("etag", "").strip()
    if re.fullmatch(r'"[\x21\x23-\x7e]*"', etag):
        return etag
    modified = headers.get("last-modified", "").strip()
    try:
        # Within the same second a file can change again.
        apart = parsedate_to_datetime(headers.get("date", "")) - parsedate_to_datetime(modified)
        return modified if not etag and apart.total_seconds() >= 1 and modified.isascii() else None
    except (ValueError, TypeError, OverflowError):
        return None


def _length(headers: Mapping[str, str]) -> int | None:
    text = headers.get("content-length", "")
    return int(text) if text.isdecimal() and len(text) < 19 else None
