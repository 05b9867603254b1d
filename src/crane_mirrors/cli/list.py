"""``crane-mirrors list``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from crane_mirrors.cli._answer import emit, route_row, shown_field
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
        catalogue = settings.layers.load()
        entries = [entry for entry in catalogue.entries() if kind in (None, entry.kind)]
        found = [(entry, answer) for entry in entries for answer in [_answer(catalogue, entry, settings)] if answer]
        return Result(
            command="list",
            rows=[_row(entry, answer) for entry, answer in found],
            lines=[line for _, answer in found for line in _lines(settings, answer)],
            header=("KIND", "NAME", "MIRRORS", "ORIGIN"),
            cells=[_cells(entry, answer) for entry, answer in found],
        )

    return emit(settings.format, "list", make)


def _answer(catalogue: Catalogue, entry: Entry, settings: Settings) -> Answer | None:
    from crane_mirrors.errors import NoRoute
    from crane_mirrors.resolve.entry import answer_entry

    try:
        return answer_entry(catalogue, entry, settings.choice)
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


def _cells(entry: Entry, answer: Answer) -> tuple[str, ...]:
    names = " ".join(route.place.name for route in answer.routes if not route.place.is_origin)
    return (entry.kind, entry.name, names, str(entry.origin.location))


def _lines(settings: Settings, answer: Answer) -> list[str]:
    routes = answer.routes if settings.every else answer.routes[:1]
    if settings.field:
        return [line for route in routes if (line := shown_field(answer, route, settings.field))]
    if settings.every:
        return [f"{answer.kind}\t{answer.name}\t{route.place.name}\t{route.target}" for route in routes]
    return [f"{answer.kind}\t{answer.name}\t{','.join(route.place.name for route in answer.routes)}"]
