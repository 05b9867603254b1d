"""How long a mirror takes: a cold connection, then warm requests, on the path that a client takes."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from crane_mirrors.live.causes import Failed

if TYPE_CHECKING:
    from crane_mirrors.catalogue.entry import Place
    from crane_mirrors.live.ask import Ask
    from crane_mirrors.live.exchange import Exchanger, Timing
    from crane_mirrors.live.network import Network
    from crane_mirrors.live.question import Question

__all__ = ["Measured", "probe"]

_LARGEST = 2**23
"""How much of a warm answer is read, for the rest would cost the connection: a hundred thousand refs have 6 MB."""


class Measured(NamedTuple):
    """What came of one mirror: times in milliseconds, or the cause why there are none; ``status`` is HTTP's."""

    cold: Timing | None = None
    samples: tuple[float, ...] = ()
    status: int | None = None
    cause: str | None = None

    @property
    def alive(self) -> bool:
        """Whether a right answer came, and a warm one after it."""
        return bool(self.samples)

    @property
    def median(self) -> float | None:
        """The median of the warm requests; None where there was none.

        >>> Measured(samples=(3.0, 1.0, 10.0)).median
        3.0
        """
        return median(self.samples) if self.samples else None

    @property
    def spread(self) -> float | None:
        """The slowest warm request less the fastest."""
        return max(self.samples) - min(self.samples) if self.samples else None


async def probe(network: Network, question: Question, place: Place, samples: int) -> Measured:
    """Measure one mirror, all within the network's timeout; what fails is an answer, too."""
    cold: Timing | None = None
    warm: list[float] = []
    status: int | None = None
    try:
        async with network.turn(place.host) as turn, network.connections() as exchanger:
            first = await question.measure(exchanger, place, turn.deadline)
            cold, status = first.timing, first.status
            # One more than asked for: a request may find that the server has closed the connection.
            for _ in range(samples + 1):
                if len(warm) < samples and (took := await _again(exchanger, first.ask, first.status, turn.deadline)):
                    warm.append(took)
    except Failed as error:
        return Measured(cold, tuple(warm), status, error.cause)
    if not warm:
        return Measured(cold, (), status, "the server closes every connection")
    return Measured(cold, tuple(warm), status)


async def _again(exchanger: Exchanger, ask: Ask, status: int, deadline: float) -> float | None:
    reply = await exchanger.get(ask, deadline, _LARGEST)
    if reply.status != status:
        raise Failed(f"{status} first, then {reply.status}")
    return None if reply.timing.connect is not None else reply.timing.total
