"""Show answers: rows, lines and cells of routes, notes for people, and errors in the envelope."""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING, Any

import click

from crane_mirrors.errors import CraneMirrorsError, InvalidInput, NoRoute
from crane_mirrors.render import Result, Terminal, render

if TYPE_CHECKING:
    from collections.abc import Callable

    from crane_mirrors.catalogue import Catalogue
    from crane_mirrors.cli._settings import Settings
    from crane_mirrors.resolve.routes import Answer, Route

__all__ = ["answer", "emit", "note", "route_row", "shown_field"]


def answer(settings: Settings, command: str, resolve: Callable[[Catalogue], Answer]) -> int:
    """Load the catalogue, resolve, and print; the exit code is 0 unless an error is raised."""

    def make(output: str) -> Result:
        found = resolve(settings.load())
        result = _result(settings, command, found, lines=output == "plain")
        _say(found, output)
        return result

    return emit(settings.output, command, make)


def emit(output: str | None, command: str, make: Callable[[str], Result]) -> int:
    """Print what ``make`` returns; an error goes into the envelope as well, where the format has one."""
    output = output or ("table" if sys.stdout.isatty() else "plain")
    try:
        result = make(output)
    except CraneMirrorsError as error:
        if output in ("json", "yaml"):
            row = {"exit_code": error.exit_code, "message": str(error)}
            sys.stdout.write(render(output, Result(command, errors=[row]), _terminal()))
        raise
    sys.stdout.write(render(output, result, _terminal()))
    return 0


def _result(settings: Settings, command: str, found: Answer, *, lines: bool) -> Result:
    field = settings.field or ("command" if found.kind == "image" else "url")
    routes = found.routes if settings.every else found.routes[:1]
    rows = [route_row(found, route) for route in found.routes]
    cells = [(row["mirror"], shown_field(found, route, field)) for row, route in zip(rows, found.routes, strict=True)]
    plain = [shown_field(found, route, field) for route in routes]
    if not plain[0]:
        raise NoRoute(f"{found.best.place.name} has no page of {found.kind} '{found.name}' in the catalogue")
    return Result(
        command=command,
        rows=rows,
        lines=list(filter(None, plain)) if lines else (),
        header=("MIRROR", field.upper()),
        cells=cells,
        marked=True,
    )


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


def note(text: str) -> None:
    """Tell a person something on stderr, in one line."""
    if sys.stderr is not None:
        click.echo(f"note: {text}", err=True)


def _terminal() -> Terminal:
    width = 80
    color = False
    if sys.stdout.isatty():
        import shutil

        width = shutil.get_terminal_size().columns
        color = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    encoding = (sys.stdout.encoding or "ascii").lower().replace("-", "")
    return Terminal(width, color, encoding.startswith("utf"))
