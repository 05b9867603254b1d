"""``crane-mirrors list``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from crane_mirrors.cli._answer import emit, route_row, shown_field
from crane_mirrors.cli._messages import note
from crane_mirrors.cli._settings import Settings, shared_options
from crane_mirrors.model import KINDS
from crane_mirrors.render import Result

if TYPE_CHECKING:
    from crane_mirrors.catalogue import Catalogue
    from crane_mirrors.catalogue.entry import Entry
    from crane_mirrors.resolve.routes import Answer

__all__ = ["command"]


@click.command("list")
@click.argument("kind", type=click.Choice(KINDS), required=False)
@shared_options
def command(settings: Settings, kind: str | None) -> int:
    """List what the catalogue has, with each entry's mirrors, best first.

    With --mirror only what those mirrors have; with --print a line for each best route; with --all for each route.
    """

    def make() -> Result:
        layers = settings.layers
        catalogue = layers.load()
        if layers.project_counts(catalogue):
            note(f"{layers.project} has a part in this list (--no-project leaves it out)")
        entries = [entry for entry in catalogue.entries() if kind in (None, entry.kind)]
        found = [(entry, answer) for entry in entries for answer in [_answer(catalogue, entry, settings)] if answer]
        if settings.format == "plain":
            return Result("list", lines=[line for _, answer in found for line in _lines(settings, kind, answer)])
        rows = [_row(entry, answer) for entry, answer in found]
        if settings.field or settings.every:
            header = ("KIND", "NAME", "MIRROR", (settings.field or "address").upper())
            cells = [row for _, answer in found for row in _routes(settings, kind, answer)]
        else:
            header = ("KIND", "NAME", "MIRRORS", "ORIGIN")
            cells = [_cells(entry, answer) for entry, answer in found]
        return Result("list", rows=rows, header=header, cells=cells)

    return emit(settings.format, "list", make)


def _answer(catalogue: Catalogue, entry: Entry, settings: Settings) -> Answer | None:
    from crane_mirrors.errors import NoRoute
    from crane_mirrors.resolve.entry import answer_entry

    try:
        # A line names all mirrors of an entry, whatever the format.
        return answer_entry(catalogue, entry, settings.choice._replace(every=True))
    except NoRoute:
        return None


def _row(entry: Entry, answer: Answer) -> dict[str, Any]:
    return {
        "kind": entry.kind,
        "name": entry.name,
        "aliases": list(entry.aliases),
        "default_tag": entry.default_tag,
        "platforms": list(entry.platforms),
        "synced": entry.synced,
        "routes": [route_row(answer, route) for route in answer.routes],
    }


def _cells(entry: Entry, answer: Answer) -> tuple[str, str, str, str]:
    names = " ".join(route.place.name for route in answer.routes if not route.place.is_origin)
    return (entry.kind, entry.name, names, str(entry.origin.location))


def _lines(settings: Settings, kind: str | None, answer: Answer) -> list[str]:
    if settings.field:
        return [row[-1] for row in _routes(settings, kind, answer)]
    if settings.every:
        return ["\t".join(row) for row in _routes(settings, kind, answer)]
    return [f"{answer.kind}\t{answer.name}\t{','.join(route.place.name for route in answer.routes)}"]


def _routes(settings: Settings, kind: str | None, answer: Answer) -> list[tuple[str, str, str, str]]:
    """Give a row for each route that is wanted and has the field; in a list of all kinds some have another one."""
    own = "reference" if answer.kind == "image" else "url"
    field = settings.field or own
    if kind is None and field in ("reference", "url") and field != own:
        return []
    routes = answer.routes if settings.every else answer.routes[:1]
    rows = [(answer.kind, answer.name, route.place.name, shown_field(answer, route, field)) for route in routes]
    return [row for row in rows if row[-1]]
