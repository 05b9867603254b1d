"""``crane-mirrors resolve``."""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import click

from crane_mirrors.cli._answer import answer, error_row, raced, result_of, show
from crane_mirrors.cli._messages import complain, note
from crane_mirrors.cli._settings import Settings, check_asking, registry_options
from crane_mirrors.errors import CraneMirrorsError, InvalidInput, NotFound
from crane_mirrors.render import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from crane_mirrors.catalogue import Catalogue

    Outcome = Result | CraneMirrorsError | None

__all__ = ["command"]

MAX_LINE = 2**20
"""The longest line that is read from the standard input, in bytes."""

SUGGESTIONS = 10
"""How many errors of one call say what there is instead: with many entries that takes longer than all else."""


@click.command("resolve")
@click.argument("strings", metavar="STRING...", nargs=-1, required=True)
@registry_options
def command(settings: Settings, strings: tuple[str, ...]) -> int:
    """Turn any address of an origin or a mirror into the best one.

    STRING is an image reference, a URL of a repository, a chart or a file, or a name that only one kind of thing has;
    '-' reads one a line and answers one line each, an empty one where there is no answer.
    """
    if len(strings) == 1 and strings[0] != "-":
        from crane_mirrors.resolve.strings import resolve_string

        return answer(settings, "resolve", lambda catalogue: resolve_string(catalogue, strings[0], settings.choice))
    check_asking(settings)
    if settings.output is None and "-" in strings:
        settings = settings._replace(output="plain")
    layers = settings.layers
    catalogue = layers.load()
    if layers.project_counts(catalogue):
        note(f"{layers.project} has a part in these answers (--no-project leaves it out)")
    outcomes = _outcomes(catalogue, settings, strings)
    return (_write_lines if settings.format == "plain" else _write_whole)(settings, outcomes)


def _outcomes(catalogue: Catalogue, settings: Settings, strings: Iterable[str]) -> Iterator[Outcome]:
    from crane_mirrors.resolve.strings import resolve_string

    choice, failed = settings.choice, 0

    @lru_cache(maxsize=1024)  # a list of what runs somewhere names few things, many times
    def result(text: str) -> Result:
        found = resolve_string(catalogue, text, choice, suggest=failed < SUGGESTIONS)
        return result_of(settings, "resolve", raced(settings, found))

    for text in _texts(strings):
        try:
            if isinstance(text, InvalidInput):
                raise text
            yield result(text) if text else None
        except CraneMirrorsError as error:
            failed += 1
            yield error


def _write_lines(_settings: Settings, outcomes: Iterable[Outcome]) -> int:
    """Write answers as they come, so that a pipe of any length fits into memory."""
    code = 0
    for number, outcome in enumerate(outcomes, start=1):
        if isinstance(outcome, Result):
            sys.stdout.write("\n".join(outcome.lines) + "\n")
        else:
            sys.stdout.write("\n")
        if isinstance(outcome, CraneMirrorsError):
            complain(f"line {number}: {outcome}")
            code = NotFound.exit_code
    return code


def _write_whole(settings: Settings, outcomes: Iterable[Outcome]) -> int:
    rows: list[Any] = []
    errors: list[Any] = []
    for number, outcome in enumerate(outcomes, start=1):
        if isinstance(outcome, CraneMirrorsError):
            complain(f"line {number}: {outcome}")
            errors.append({"line": number, **error_row(outcome)})
        elif outcome and settings.format == "table":
            show("table", outcome)
        elif outcome:
            rows += [{"line": number, **row} for row in outcome.rows]
    if settings.format != "table":
        show(settings.format, Result("resolve", rows=rows, errors=errors))
    return NotFound.exit_code if errors else 0


def _texts(strings: Iterable[str]) -> Iterator[str | InvalidInput]:
    for text in strings:
        if text == "-":
            try:
                yield from _lines(sys.stdin.buffer.readline if sys.stdin else lambda _: b"")
            except OSError as error:
                from crane_mirrors.cli._sources import failure

                raise failure(error, text) from None
        else:
            yield text


def _lines(readline: Callable[[int], bytes]) -> Iterator[str | InvalidInput]:
    while line := readline(MAX_LINE):
        if len(line) == MAX_LINE and not line.endswith(b"\n"):
            while line and not line.endswith(b"\n"):
                line = readline(MAX_LINE)
            yield InvalidInput(f"longer than {MAX_LINE // 2**20} MiB")
        else:
            yield line.decode("utf-8", "surrogateescape").strip()
