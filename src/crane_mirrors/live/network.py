"""What one run shares: the certificates that are trusted, and a turn for each of the questions to one server."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from crane_mirrors.live.causes import Failed
from crane_mirrors.live.exchange import PER_HOST, Exchanger
from crane_mirrors.live.trust import certificates

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["Network", "Turn"]

_UNREACHABLE = ("timeout (connect)", "timeout (tls)", "refused", "no route", "dns: no such host", "dns: failed")


class Turn:
    """The time that one mirror has, from when its turn comes: ``deadline`` is the event loop's time."""

    __slots__ = ("_causes", "_host", "deadline")

    def __init__(self, causes: dict[str, str], host: str, timeout: float) -> None:
        """Begin. Raises Failed at once where the server was found to be unreachable in this run."""
        if host in causes:
            raise Failed(causes[host])
        self._causes, self._host = causes, host
        self.deadline = asyncio.get_running_loop().time() + timeout

    def failed(self, error: Failed) -> None:
        """Remember a server that cannot be reached, so that its other questions need not wait for it."""
        if error.cause in _UNREACHABLE:
            self._causes[self._host] = error.cause


class Network:
    """The network as one run sees it; made inside the event loop."""

    def __init__(self, timeout: float, turns: int = PER_HOST) -> None:
        """Take the time that each mirror has, in seconds, and how many questions to a server are under way at a time.

        Raises Failed when no certificates to trust can be read.
        """
        self.timeout = timeout
        self._at_a_time = turns
        self._turns: dict[str, asyncio.Semaphore] = {}
        self._causes: dict[str, str] = {}
        self._tls = certificates()

    @asynccontextmanager
    async def turn(self, host: str) -> AsyncIterator[Turn]:
        """Wait until not too many questions to a server are under way; the time begins to run then. Raises Failed."""
        async with self._turns.setdefault(host, asyncio.Semaphore(self._at_a_time)):
            turn = Turn(self._causes, host, self.timeout)
            try:
                yield turn
            except Failed as error:
                turn.failed(error)
                raise

    @asynccontextmanager
    async def connections(self) -> AsyncIterator[Exchanger]:
        """Open a pool of connections of its own: who measures how long connecting takes must not find one open."""
        async with Exchanger.open(self._tls) as exchanger:
            yield exchanger
