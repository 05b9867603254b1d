"""The fastest mirror: all are asked at once, and the first right answer wins."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from crane_mirrors.live.causes import Failed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crane_mirrors.catalogue.entry import Place
    from crane_mirrors.live.network import Network
    from crane_mirrors.live.question import Question

__all__ = ["Outcome", "race"]


class Outcome(NamedTuple):
    """Who won, if any did, after how many milliseconds, and why those failed that did so before."""

    winner: Place | None
    took: float
    causes: tuple[tuple[Place, str], ...]


async def race(network: Network, question: Question, places: Sequence[Place]) -> Outcome:
    """Ask all places; whoever has not answered when the first one has is cancelled."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    causes: list[tuple[Place, str]] = []

    async with network.connections() as exchanger:

        async def ask(place: Place) -> None:
            async with network.turn(place.host) as turn:
                await question.measure(exchanger, place, turn.deadline)

        waiting = {asyncio.create_task(ask(place)): place for place in places}
        try:
            while waiting:
                done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                # Of several that answered at once the better one wins, as the catalogue orders them.
                for task in [task for task in waiting if task in done]:
                    place, error = waiting.pop(task), task.exception()
                    if error is None:
                        return Outcome(place, (loop.time() - start) * 1000, tuple(causes))
                    if not isinstance(error, Failed):
                        raise error
                    causes.append((place, error.cause))
            return Outcome(None, (loop.time() - start) * 1000, tuple(causes))
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
