"""Every mirror of a thing is asked what it has, and so is the origin."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from crane_mirrors.live.causes import Failed, NotThere
from crane_mirrors.live.differences import Difference, signature

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crane_mirrors.catalogue.entry import Place
    from crane_mirrors.live.exchange import Exchanger
    from crane_mirrors.live.network import Network
    from crane_mirrors.live.question import Question

__all__ = ["Compared", "Facts", "ask_facts", "compare", "compared_facts", "settled"]


class Compared(NamedTuple):
    """What one mirror has, against the origin: a settled difference, or why there is none.

    ``state`` changes whenever what the mirror has changes; ``took`` is how long its answer took, in milliseconds.
    """

    place: Place
    difference: Difference | None
    mirror_failed: Failed | None = None
    origin_failed: Failed | None = None
    state: str = ""
    took: float | None = None


async def compare(
    network: Network, exchanger: Exchanger, question: Question, origin: Place, mirrors: Sequence[Place]
) -> list[Compared]:
    """Ask the origin and all mirrors at once, and compare; what fails is an answer, too."""
    asked = asyncio.ensure_future(ask_facts(network, exchanger, question, origin))

    async def one(place: Place) -> Compared:
        here = await ask_facts(network, exchanger, question, place)
        there = await asked
        return await settled(
            exchanger, question, origin, there, compared_facts(question, there.facts, place, here), here
        )

    return await asyncio.gather(*map(one, mirrors))


class Facts(NamedTuple):
    """What one place says, or the Failed why not; how long that took (milliseconds), and when its time is up."""

    facts: Any
    took: float
    deadline: float


async def ask_facts(network: Network, exchanger: Exchanger, question: Question, place: Place) -> Facts:
    """Ask one place, when its turn comes."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    try:
        async with network.turn(place.host) as turn:
            start = loop.time()
            facts = await question.facts(exchanger, place, turn.deadline)
    except Failed as error:
        # The same without its traceback, for that would keep whatever was read until the end of the run.
        facts = type(error)(error.cause)
    return Facts(facts, (loop.time() - start) * 1000, start + network.timeout)


async def settled(
    exchanger: Exchanger, question: Question, origin: Place, there: Facts, compared: Compared, here: Facts
) -> Compared:
    """Let the origin say of a mirror's suspects which it has; of whom nothing bad is known, it is not said."""
    difference = compared.difference
    if not difference or not difference.suspects:
        return compared
    known = set(difference.suspects)
    with suppress(Failed):
        deadline = max(here.deadline, there.deadline)
        known = await question.known(exchanger, origin, deadline, there.facts, difference.suspects)
    return compared._replace(difference=difference.settled(known))


def compared_facts(question: Question, there: Any, place: Place, mirror: Facts) -> Compared:
    """Compare what a mirror says with what the origin says; pure."""
    here, took = mirror.facts, mirror.took
    if isinstance(here, Failed):
        return Compared(place, None, here, there if isinstance(there, Failed) else None, "", took)
    state = signature(here)
    if isinstance(there, NotThere):
        return Compared(place, Difference(foreign=("the origin has no such thing",)), None, None, state, took)
    if isinstance(there, Failed):
        return Compared(place, None, None, there, state, took)
    return Compared(place, question.compare(there, here), None, None, state, took)
