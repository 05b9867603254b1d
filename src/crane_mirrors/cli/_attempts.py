"""Which routes the commands that transfer something try, and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crane_mirrors.cli._answer import raced
from crane_mirrors.resolve.routes import is_chosen

if TYPE_CHECKING:
    from crane_mirrors.cli._settings import Settings
    from crane_mirrors.resolve.routes import Answer, Choice, Route

__all__ = ["choice_of_all", "routes_to_try"]


def choice_of_all(settings: Settings) -> Choice:
    """Give what the person prefers, with every route to fall back on."""
    return settings.choice._replace(every=True)


def routes_to_try(settings: Settings, answer: Answer) -> tuple[Route, ...]:
    """Give the routes in the order in which they are tried, of named mirrors no other; --fastest asks them first.

    Raises NetworkFailed when --fastest finds none that answers.
    """
    # The resolver refused a call whose mirrors have nothing of this.
    return tuple(route for route in raced(settings, answer).routes if is_chosen(route.place, settings.mirror))
