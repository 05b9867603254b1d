"""What is asked of every copy of one thing, whatever its kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection

    from crane_mirrors.catalogue.entry import Place
    from crane_mirrors.live.ask import Ask
    from crane_mirrors.live.differences import Difference
    from crane_mirrors.live.exchange import Exchanger, Timing

__all__ = ["First", "Question"]


class First(NamedTuple):
    """A first right answer: how long it took, and the request that can be repeated to measure a warm connection."""

    timing: Timing
    ask: Ask
    status: int


class Question(Protocol):
    """A thing of one kind; all methods take the event loop's time as ``deadline`` and raise Failed with the cause."""

    async def measure(self, exchanger: Exchanger, place: Place, deadline: float) -> First:
        """Get the smallest answer that proves that a client would be served here."""
        ...

    async def facts(self, exchanger: Exchanger, place: Place, deadline: float) -> Any:
        """Get what is compared between copies."""
        ...

    def compare(self, origin: Any, mirror: Any) -> Difference:
        """Say in which way a mirror's facts differ from the origin's; pure."""
        ...

    async def known(
        self, exchanger: Exchanger, place: Place, deadline: float, facts: Any, objects: Collection[str]
    ) -> set[str]:
        """Say which of some objects a place has, though under no name, or another one."""
        ...
