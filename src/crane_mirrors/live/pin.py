"""Digests to pin: the origin says which one a tag has, and each mirror whether it has exactly that."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from crane_mirrors.live.causes import Failed, NotThere
from crane_mirrors.live.check import ask_facts, compared_facts, settled
from crane_mirrors.live.loop import run
from crane_mirrors.live.network import Network
from crane_mirrors.live.verdicts import Judged, judge_compared

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crane_mirrors.catalogue.entry import Place
    from crane_mirrors.live.check import Facts
    from crane_mirrors.live.exchange import Exchanger
    from crane_mirrors.live.image import ImageQuestion

__all__ = ["Pinned", "ToPin", "pin_all"]


class ToPin(NamedTuple):
    """A tag, whom to trust with its digest, and the copies that may serve it; for a digest nobody has to be trusted."""

    question: ImageQuestion
    trusted: Place | None
    places: tuple[Place, ...]


class Pinned(NamedTuple):
    """A digest, who has it, and what those are worth that do not; or the cause why there is no digest."""

    digest: str | None
    having: tuple[Place, ...] = ()
    lacking: tuple[tuple[Place, Judged], ...] = ()
    failed: Failed | None = None


def pin_all(asked: Sequence[ToPin], timeout: float) -> list[Pinned]:
    """Pin many tags at once; each mirror has ``timeout`` seconds."""

    async def all_of_them() -> list[Pinned]:
        network = Network(timeout)
        async with network.connections() as exchanger:
            return await asyncio.gather(*(_pin(network, exchanger, one) for one in asked))

    return run(all_of_them())


async def _pin(network: Network, exchanger: Exchanger, asked: ToPin) -> Pinned:
    question, trusted = asked.question, asked.trusted
    if trusted is None:
        return await _found(network, exchanger, question, asked.places)
    mirrors = [place for place in asked.places if place is not trusted]
    there, *answers = await asyncio.gather(
        *(ask_facts(network, exchanger, question, place) for place in (trusted, *mirrors))
    )
    if isinstance(there.facts, Failed):
        return Pinned(None, failed=there.facts)
    digest: str = there.facts

    async def has(place: Place, here: Facts) -> bool:
        if here.facts == digest:
            return True
        if isinstance(here.facts, Failed) and not isinstance(here.facts, NotThere):
            return False
        # Under another tag, or none: whoever pulls by digest gets it all the same.
        deadline = max(here.deadline, asyncio.get_running_loop().time() + network.timeout / 10)
        with suppress(Failed):
            return await question.at(exchanger, place, deadline).has(digest)
        return False

    found = await asyncio.gather(*map(has, mirrors, answers))
    having = {id(place) for place, has_it in zip(mirrors, found, strict=True) if has_it} | {id(trusted)}
    compared = [
        await settled(exchanger, question, trusted, there, compared_facts(question, digest, place, here), here)
        for place, here in zip(mirrors, answers, strict=True)
        if id(place) not in having
    ]
    return Pinned(
        digest,
        tuple(place for place in asked.places if id(place) in having),
        tuple((one.place, judge_compared(one, None, 0, 0)) for one in compared),
    )


async def _found(network: Network, exchanger: Exchanger, question: ImageQuestion, places: Sequence[Place]) -> Pinned:
    """Find out who has a digest that is known already."""
    digest = question.tag
    answers = await asyncio.gather(*(ask_facts(network, exchanger, question, place) for place in places))
    found = [(place, here, here.facts == digest) for place, here in zip(places, answers, strict=True)]
    return Pinned(
        digest,
        tuple(place for place, _, has_it in found if has_it),
        tuple(
            (place, judge_compared(compared_facts(question, digest, place, here), None, 0, 0))
            for place, here, has_it in found
            if not has_it
        ),
    )
