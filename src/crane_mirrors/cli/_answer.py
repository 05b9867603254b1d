"""Show answers: rows, lines and cells of routes, notes for people, and errors in the envelope."""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING, Any

from crane_mirrors.cli._messages import note
from crane_mirrors.cli._settings import check_asking
from crane_mirrors.errors import CraneMirrorsError, InvalidInput, NoRoute
from crane_mirrors.render import Result, Terminal, render

if TYPE_CHECKING:
    from collections.abc import Callable

    from crane_mirrors.catalogue import Catalogue
    from crane_mirrors.cli._layers import Layers
    from crane_mirrors.cli._settings import Settings
    from crane_mirrors.resolve.routes import Answer, Route

__all__ = ["answer", "emit", "error_row", "raced", "result_of", "route_row", "show", "shown_field", "terminal"]


def answer(
    settings: Settings,
    command: str,
    resolve: Callable[[Catalogue], Answer],
    change: Callable[[Answer], Answer] | None = None,
) -> int:
    """Load the catalogue, resolve, let ``change`` or a race of the mirrors change the answer, and print.

    The exit code is 0 unless an error is raised.
    """

    def make() -> Result:
        check_asking(settings)
        layers = settings.layers
        found = resolve(layers.load())
        own = layers.project if layers.project and _changed(found, layers, resolve) else None
        found = change(found) if change else raced(settings, found)
        result = result_of(settings, command, found)
        _say(found, settings.format)
        if own:
            note(f"{own} has a part in this answer (--no-project leaves it out)")
        return result

    return emit(settings.format, command, make)


def raced(settings: Settings, found: Answer) -> Answer:
    """Put the fastest mirror first, where that is wanted. Raises NetworkFailed when none answers."""
    if not settings.fastest:
        return found
    from crane_mirrors.cli._race import put_fastest_first

    return put_fastest_first(settings, found)


def _changed(found: Answer, layers: Layers, resolve: Callable[[Catalogue], Answer]) -> bool:
    try:
        return resolve(layers.without_project.load()) != found
    except CraneMirrorsError:
        return True


def emit(output: str, command: str, make: Callable[[], Result]) -> int:
    """Print what ``make`` returns and give its exit code; an error goes into the envelope, if the format has one."""
    try:
        result = make()
    except CraneMirrorsError as error:
        if output in ("json", "yaml"):
            show(output, Result(command, errors=[error_row(error)]))
        raise
    show(output, result)
    return result.code


def show(output: str, result: Result) -> None:
    """Write a result in a format."""
    sys.stdout.write(render(output, result, terminal()))


def error_row(error: CraneMirrorsError) -> dict[str, Any]:
    """Give an error as a row of the envelope's ``errors``."""
    return {"exit_code": error.exit_code, "message": str(error)}


def result_of(settings: Settings, command: str, found: Answer) -> Result:
    """Give an answer's rows, lines and cells. Raises NoRoute where the best route lacks what is to be printed."""
    field = settings.field or ("command" if found.kind == "image" else "url")
    if command == "resolve" and field in ("reference", "url"):
        # Strings of all kinds come in, so both mean the address that comes out.
        field = "reference" if found.kind == "image" else "url"
    if settings.format == "plain":
        return Result(command, lines=_lines(settings, found, field))
    cells = [(route.place.name, shown_field(found, route, field)) for route in found.routes]
    rows = [route_row(found, route) for route in found.routes]
    return Result(command, rows=rows, header=("MIRROR", field.upper()), cells=cells, marked=True)


def _lines(settings: Settings, found: Answer, field: str) -> list[str]:
    lines = [shown_field(found, route, field) for route in (found.routes if settings.every else found.routes[:1])]
    if not lines[0]:
        raise NoRoute(f"{found.best.place.name} has no page of {found.kind} '{found.name}' in the catalogue")
    return [line for line in lines if line]


def shown_field(found: Answer, route: Route, field: str) -> str:
    """Give one field of a route as text, empty where it has none. Raises InvalidInput for one of another kind."""
    own = "reference" if found.kind == "image" else "url"
    match field:
        case "command":
            return shlex.join(route.command)
        case "page":
            return route.page or ""
        case _ if field == own:
            return route.target
    raise InvalidInput(f"{found.kind} '{found.name}' has no {field}: use --print {own}")


def route_row(found: Answer, route: Route) -> dict[str, Any]:
    """Give a route as a row of the envelope (README, "JSON")."""
    return {
        "kind": found.kind,
        "name": found.name,
        "mirror": route.place.name,
        "host": route.place.host,
        "origin": route.place.is_origin,
        "reference" if found.kind == "image" else "url": route.target,
        "command": shlex.join(route.command),
        "page": route.page,
        "recommended": route is found.best,
        "notes": [*found.notes, *route.notes],
        "source": route.place.source,
    }


def _say(found: Answer, output: str) -> None:
    for text in found.notes:
        note(text)
    if output in ("table", "plain") and sys.stderr is not None and sys.stderr.isatty():
        for text in found.best.notes:
            note(text)


def terminal() -> Terminal:
    """Say what the standard output can show."""
    width = 80
    color = False
    if sys.stdout.isatty():
        import shutil

        width = shutil.get_terminal_size().columns
        color = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    encoding = (sys.stdout.encoding or "ascii").lower().replace("-", "")
    return Terminal(width, color, encoding.startswith("utf"))
