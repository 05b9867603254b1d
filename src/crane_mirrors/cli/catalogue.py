"""``crane-mirrors catalogue``: show, validate, schema."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from crane_mirrors.cli._answer import show
from crane_mirrors.cli._messages import complain, note
from crane_mirrors.cli._settings import Settings, catalogue_options
from crane_mirrors.errors import InvalidCatalogue
from crane_mirrors.model import printable
from crane_mirrors.render import Result, format_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["command"]


@click.group("catalogue")
def command() -> None:
    """Show, check or describe catalogues."""


@command.command("show")
@click.option("--origins", is_flag=True, help="Name the file that each address comes from, in a comment behind it.")
@catalogue_options
def show_command(settings: Settings, origins: bool) -> int:
    """Print what all catalogues in use amount to, as one catalogue.

    It has 'builtin: false', so that what comes with another version of this program cannot change it.
    """
    from crane_mirrors.catalogue.write import to_yaml

    layers = settings.layers
    catalogue = layers.load()
    if layers.project_counts(catalogue):
        note(f"{layers.project} has a part in this catalogue (--no-project leaves it out)")
    sys.stdout.write(to_yaml(catalogue, origins=origins))
    return 0


@command.command("validate")
@click.argument("files", metavar="[FILE...]", nargs=-1, type=click.Path())
@click.option(
    "-o",
    "--output",
    type=click.Choice(format_names()),
    default="plain",
    show_default=True,
    help="How to print the problems.",
)
@catalogue_options
def validate_command(settings: Settings, files: tuple[str, ...], output: str) -> int:
    """Print all problems of catalogues; exit code 5 if there are any.

    A problem is a line FILE:LINE:COLUMN: MESSAGE. Without FILE the catalogues in use are checked, as they lie over each
    other. Otherwise each FILE is checked for itself, over the built-in catalogue and those of --catalogue.
    """
    from crane_mirrors.catalogue import BUILTIN

    below = settings.catalogue if files else settings.layers.files
    stacks = [(*below, file) for file in files] or [below]
    names = [printable(name) for name in ((*below, *files) if files else (BUILTIN, *below))]
    # Each FILE over the same broken catalogue has the same problems.
    problems = dict.fromkeys(printable(problem) for stack in stacks for problem in _problems(stack))
    rows = [_row(problem, names) for problem in problems]
    lines = list(problems) or [f"{name}: valid" for name in names]
    cells = [_cells(row) for row in rows] or [(name, "", "", "valid") for name in names]
    show(output, Result("catalogue validate", rows, lines, ("FILE", "LINE", "COLUMN", "MESSAGE"), cells))
    if not rows:
        return 0
    invalid, known = len({row["file"] for row in rows}), len(set(names))
    complain(f"{invalid} of {known} catalogues {'is' if invalid == 1 else 'are'} invalid")
    return InvalidCatalogue.exit_code


def _problems(files: tuple[str, ...]) -> Iterator[str]:
    from crane_mirrors.catalogue import load

    try:
        load(files)
    except InvalidCatalogue as error:
        yield from error.problems


def _row(problem: str, names: Iterable[str]) -> dict[str, Any]:
    """Take a problem apart; one that concerns a whole file has no line and no column."""
    file = max((name for name in names if problem.startswith(f"{name}:")), key=len, default="")
    message = problem.removeprefix(f"{file}:")
    line, _, rest = message.partition(":")
    column, _, text = rest.partition(": ")
    if line.isdecimal() and column.isdecimal():
        return {"file": file, "line": int(line), "column": int(column), "message": text}
    return {"file": file, "line": None, "column": None, "message": message.strip()}


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple("" if cell is None else str(cell) for cell in row.values())


@command.command("schema")
def schema_command() -> int:
    """Print the JSON Schema of a catalogue file, for editors."""
    import json

    from crane_mirrors.catalogue.schema import schema

    sys.stdout.write(json.dumps(schema(), indent=2) + "\n")
    return 0
