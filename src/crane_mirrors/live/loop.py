"""The event loop of a run: what cannot be stopped goes on in threads that nobody waits for."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from crane_mirrors.live.causes import Failed

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["Loop", "aside", "aside_until", "lookups", "run"]

_T = TypeVar("_T")

lookups: ContextVar[Callable[[float], None] | None] = ContextVar("lookups", default=None)
"""Whom to tell how many seconds the lookup of a name took, in the task that connects."""


async def aside(function: Callable[[], _T]) -> _T:
    """Run a function in a thread, which is left alone when the caller is cancelled; what it raises is raised here."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[_T] = loop.create_future()

    def settle(result: Any, error: Exception | None) -> None:
        if answer.done():
            return
        if error is None:
            answer.set_result(result)
        else:
            answer.set_exception(error)

    def work() -> None:
        result, failure = None, None
        try:
            result = function()
        except Exception as error:
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=work, daemon=True).start()
    return await answer


async def aside_until(deadline: float, function: Callable[[], _T]) -> _T:
    """Run a function in a thread as ``aside`` does, for as long as there is time. Raises Failed, and what it raises."""
    try:
        async with asyncio.timeout_at(deadline):
            return await aside(function)
    except TimeoutError:
        raise Failed("timeout") from None


class Loop(asyncio.SelectorEventLoop):
    """An event loop that can end while the system's resolver still waits for a name server that is silent.

    asyncio's own loop waits for the thread at its end, up to half a minute after the deadline.
    """

    async def getaddrinfo(
        self, host: Any, port: Any, *, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> Any:
        """Look a name up as ``socket.getaddrinfo`` does, and tell how long it took."""
        start = self.time()
        try:
            return await aside(lambda: socket.getaddrinfo(host, port, family, type, proto, flags))
        finally:
            if tell := lookups.get():
                tell(self.time() - start)


def run(main: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine in a loop of its own and give its result; Ctrl-C cancels it and raises KeyboardInterrupt."""
    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(main)
