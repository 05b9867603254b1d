"""Whole runs over many mirrors, for callers that have no event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from crane_mirrors.live.check import Compared, compare
from crane_mirrors.live.exchange import PER_HOST
from crane_mirrors.live.loop import run
from crane_mirrors.live.network import Network
from crane_mirrors.live.probe import Measured, probe
from crane_mirrors.live.race import Outcome, race

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from crane_mirrors.catalogue.entry import Place
    from crane_mirrors.live.question import Question

__all__ = ["Comparison", "compare_all", "find_fastest", "probe_all"]


class Comparison(NamedTuple):
    """One thing, its origin, and the mirrors that are compared with it."""

    question: Question
    origin: Place
    mirrors: tuple[Place, ...]


def probe_all(
    asked: Sequence[tuple[Question, Place]], timeout: float, samples: int, done: Callable[[int], object]
) -> list[Measured]:
    """Measure mirrors, all at once, each within ``timeout`` seconds; ``done`` is told how many have just ended."""

    async def all_of_them() -> list[Measured]:
        network = Network(timeout)

        async def one(question: Question, place: Place) -> Measured:
            measured = await probe(network, question, place, samples)
            done(1)
            return measured

        running = []
        for question, place in asked:
            running.append(asyncio.ensure_future(one(question, place)))
            # The first are on their way while the others are still made ready.
            await asyncio.sleep(0)
        return await asyncio.gather(*running)

    return run(all_of_them())


def compare_all(asked: Sequence[Comparison], timeout: float, done: Callable[[int], object]) -> list[list[Compared]]:
    """Compare mirrors with their origins, all at once, each within ``timeout`` seconds."""

    async def all_of_them() -> list[list[Compared]]:
        # They share their connections: while one waits for a token from elsewhere, another can use them.
        network = Network(timeout, 2 * PER_HOST)
        async with network.connections() as exchanger:

            async def one(asked: Comparison) -> list[Compared]:
                found = await compare(network, exchanger, *asked)
                done(len(found))
                return found

            return await asyncio.gather(*map(one, asked))

    return run(all_of_them())


def find_fastest(question: Question, places: Sequence[Place], timeout: float) -> Outcome:
    """Let mirrors race, each within ``timeout`` seconds."""

    async def one_race() -> Outcome:
        return await race(Network(timeout), question, places)

    return run(one_race())
