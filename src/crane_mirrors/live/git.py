"""A Git repository, by its refs: smart HTTP, protocol versions 0 and 2 (gitprotocol-http, gitprotocol-v2)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, NamedTuple

from crane_mirrors.live.ask import SMALL, Ask
from crane_mirrors.live.causes import Failed, NotAsked, NotThere, check_status
from crane_mirrors.live.differences import Difference, compare_refs
from crane_mirrors.live.loop import aside_until
from crane_mirrors.live.pktline import DELIMITER, FLUSH, packet, packets, refs_of
from crane_mirrors.live.question import First

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from crane_mirrors.catalogue.entry import Place
    from crane_mirrors.live.exchange import Exchanger, Reply

__all__ = ["GitQuestion"]

MAX_REFS = 24 * 2**20
_MAX_FIRST = 8 * 2**20
_MAX_HAVES = 256
_MAX_CAPABILITIES = 1000
_ADVERTISEMENT = "application/x-git-upload-pack-advertisement"
_RESULT = "application/x-git-upload-pack-result"
_HEADERS = {"Git-Protocol": "version=2"}
_POST = {**_HEADERS, "Content-Type": "application/x-git-upload-pack-request", "Accept": _RESULT}
_KINDS = ("refs/heads/", "refs/tags/")


class _Advertised(NamedTuple):
    """What a server says first: with version 0 all refs, with version 2 what it can do."""

    url: str
    lines: tuple[bytes, ...]
    refs: dict[str, str] | None


@dataclass(frozen=True, slots=True)
class GitQuestion:
    """A Git repository's heads and tags, or one branch, tag or whole ref."""

    ref: str | None = None

    async def measure(self, exchanger: Exchanger, place: Place, deadline: float) -> First:
        """Ask as ``git fetch`` begins. Raises Failed."""
        ask, reply = await _advertisement(exchanger, place, deadline, _MAX_FIRST)
        _check_beginning(reply.body)
        if reply.cut:
            ask = ask._replace(method="HEAD")
        return First(reply.timing, ask, reply.status)

    async def facts(self, exchanger: Exchanger, place: Place, deadline: float) -> dict[str, str]:
        """Get the refs, or the one that was named. Raises Failed, NotThere where there is no such ref."""
        advertised = await _advertised(exchanger, place, deadline)
        refs = advertised.refs
        if refs is None:
            refs = await _listed(exchanger, advertised, self._prefixes(), deadline)
        found = {ref: number for ref, number in refs.items() if self._wanted(ref)}
        if self.ref and not found:
            raise NotThere(f"no ref {self.ref}")
        return found

    def compare(self, origin: dict[str, str], mirror: dict[str, str]) -> Difference:
        """Compare heads and tags."""
        return compare_refs(origin, mirror)

    async def known(
        self, exchanger: Exchanger, place: Place, deadline: float, facts: dict[str, str], objects: Collection[str]
    ) -> set[str]:
        """Ask which commits a server has in common with us, as ``git fetch`` does; all where it cannot say."""
        if not facts:
            return set()  # who has no branch and no tag, has no commit
        advertised = await _advertised(exchanger, place, deadline)
        if advertised.refs is not None:
            return set(objects)
        asked = list(objects)[:_MAX_HAVES]
        lines = [f"want {next(iter(facts.values()))}\n", *(f"have {number}\n" for number in asked)]
        body = _command("fetch", advertised, lines)
        reply = await exchanger.get(Ask(_service(advertised.url), "POST", _POST, body), deadline, SMALL)
        check_status(reply.status, reply.headers)
        return _acknowledged(reply.body) | set(list(objects)[_MAX_HAVES:])

    def _prefixes(self) -> tuple[str, ...]:
        if not self.ref:
            return _KINDS
        return (self.ref,) if self.ref.startswith("refs/") else tuple(kind + self.ref for kind in _KINDS)

    def _wanted(self, ref: str) -> bool:
        return ref in self._prefixes() if self.ref else ref.startswith(_KINDS)


async def _advertisement(exchanger: Exchanger, place: Place, deadline: float, limit: int) -> tuple[Ask, Reply]:
    base = str(place.location)
    if not base.startswith(("https://", "http://")):
        raise NotAsked(f"{base.partition(':')[0]} is not asked, only https")
    ask = Ask(f"{base}/info/refs?service=git-upload-pack", headers=_HEADERS)
    reply = await exchanger.get(ask, deadline, limit)
    check_status(reply.status, reply.headers)
    if reply.is_page:
        raise Failed("login page")
    if reply.media_type != _ADVERTISEMENT:
        raise Failed("no smart http: the server has only files" if _is_dumb(reply) else "not a git repository")
    return ask, reply


def _check_beginning(body: bytes) -> None:
    """Raise Failed for what no Git server says first: an error, or anything but its service or its version."""
    first = next(packets(body), None) or b""
    if first.startswith(b"ERR "):
        refs_of([first])
    if not first.startswith((b"# service=git-upload-pack", b"version ")):
        raise Failed("not a git repository")


def _is_dumb(reply: Reply) -> bool:
    return b"\trefs/" in reply.body[:SMALL]


async def _advertised(exchanger: Exchanger, place: Place, deadline: float) -> _Advertised:
    _, reply = await _advertisement(exchanger, place, deadline, MAX_REFS)
    if reply.cut:
        raise Failed("too many refs")
    return await aside_until(deadline, lambda: _parsed(reply.url, reply.body))


def _parsed(url: str, body: bytes) -> _Advertised:
    lines = (line for line in packets(body) if line is not None and not line.startswith(b"# service="))
    first = next(lines, b"")
    if first.rstrip(b"\n") == b"version 2":
        return _Advertised(url, tuple(line.rstrip(b"\n") for line in islice(lines, _MAX_CAPABILITIES)), None)
    if first.rstrip(b"\n") == b"version 1" or not first:
        return _Advertised(url, (), refs_of(lines))
    return _Advertised(url, (), refs_of(chain((first,), lines)))


async def _listed(
    exchanger: Exchanger, advertised: _Advertised, prefixes: Iterable[str], deadline: float
) -> dict[str, str]:
    body = _command("ls-refs", advertised, [f"ref-prefix {prefix}\n" for prefix in prefixes])
    reply = await exchanger.get(Ask(_service(advertised.url), "POST", _POST, body), deadline, MAX_REFS)
    check_status(reply.status, reply.headers)
    if reply.media_type != _RESULT:
        raise Failed("login page" if reply.is_page else "not a git repository")
    if reply.cut:
        raise Failed("too many refs")
    return await aside_until(deadline, lambda: refs_of(line for line in packets(reply.body) if line is not None))


def _command(name: str, advertised: _Advertised, arguments: Iterable[str]) -> bytes:
    formats = [line.decode("ascii", "replace") for line in advertised.lines if line.startswith(b"object-format=")]
    capabilities = b"".join(packet(f"{line[:80]}\n") for line in formats[:1])
    return packet(f"command={name}\n") + capabilities + DELIMITER + b"".join(map(packet, arguments)) + FLUSH


def _service(url: str) -> str:
    return url.partition("?")[0].removesuffix("/info/refs") + "/git-upload-pack"


def _acknowledged(body: bytes) -> set[str]:
    """Read ``ACK`` lines; a pack may follow them, which is not read, so the end may be missing."""
    found: set[str] = set()
    try:
        for line in packets(body):
            if line and line.startswith(b"ACK "):
                found.add(line[4:].split(b" ")[0].strip().decode("ascii", "replace"))
            elif line and line.startswith(b"packfile"):
                break
    except Failed:
        pass
    return found
