"""``--fastest``: the mirrors themselves say which is best, now or a while ago."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from crane_mirrors.cli._live import duration
from crane_mirrors.cli._messages import note
from crane_mirrors.cli._state import change_state, read_state
from crane_mirrors.errors import NetworkFailed
from crane_mirrors.resolve.routes import is_chosen

if TYPE_CHECKING:
    from crane_mirrors.cli._settings import Settings
    from crane_mirrors.live.race import Outcome
    from crane_mirrors.resolve.routes import Answer, Route

__all__ = ["put_fastest_first"]

_USUAL_AGE = 600


def put_fastest_first(settings: Settings, found: Answer) -> Answer:
    """Reorder an answer's routes. Raises NetworkFailed with each cause when no mirror gives a right answer."""
    routes = [route for route in found.routes if is_chosen(route.place, settings.mirror)]
    most = _max_age(settings)
    key = "\n".join((found.kind, *sorted(route.target for route in routes)))
    if most and (kept := read_state()["fastest"].get(key)):
        winner = next((route for route in routes if route.target == kept[0]), None)
        age = time.time() - kept[1]
        if winner and 0 <= age <= most:
            text = f"{winner.place.name} was the fastest {duration(age)} ago"
            note(f"{text} (--max-age 0s asks again)")
            return _first(found, winner, text)
    outcome = _race(settings, found, routes)
    if outcome.winner is None:
        return _nobody(settings, found, outcome)
    winner = next(route for route in routes if route.place is outcome.winner)
    if most:
        change_state(lambda state: state["fastest"].update({key: [winner.target, time.time(), outcome.took]}))
    return _first(found, winner, f"the first right answer, after {outcome.took:.0f} ms")


def _race(settings: Settings, found: Answer, routes: list[Route]) -> Outcome:
    from crane_mirrors.cli._credentials import logins
    from crane_mirrors.live.questions import question_of
    from crane_mirrors.live.runs import find_fastest

    places = [route.place for route in routes]
    login = logins([place.host for place in places] if settings.auth else [])
    return find_fastest(question_of(found, login=login), places, settings.timeout)


def _nobody(settings: Settings, found: Answer, outcome: Outcome) -> Answer:
    causes = ", ".join(f"{place.name}: {cause}" for place, cause in outcome.causes)
    text = f"no mirror of {found.kind} '{found.name}' gives a right answer: {causes}"
    if not settings.offline_ok:
        raise NetworkFailed(text)
    note(f"{text}; this is the catalogue's order")
    return found


def _first(found: Answer, winner: Route, text: str) -> Answer:
    best = winner._replace(notes=(*winner.notes, text))
    return found._replace(routes=(best, *(route for route in found.routes if route is not winner)))


def _max_age(settings: Settings) -> float:
    if settings.max_age is None:
        return 0 if os.environ.get("CI") else _USUAL_AGE
    if settings.max_age in ("0", "0s"):
        return 0
    from crane_mirrors.intervals import Interval

    return Interval.parse(settings.max_age).seconds
