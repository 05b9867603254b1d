"""``crane-mirrors fetch``."""

from __future__ import annotations

import contextlib
import re
import sys
from typing import TYPE_CHECKING, Any

import click

from crane_mirrors.cli._answer import error_row, terminal
from crane_mirrors.cli._attempts import choice_of_all, routes_to_try
from crane_mirrors.cli._messages import note, say
from crane_mirrors.cli._settings import CatalogueName, Seconds, Settings, options
from crane_mirrors.errors import CraneMirrorsError, InvalidInput, NoRoute
from crane_mirrors.render import Result, render

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from crane_mirrors.cli._download import Fetch, Taken
    from crane_mirrors.live.tokens import Login
    from crane_mirrors.resolve.routes import Answer

__all__ = ["command"]

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}


def _size(_context: click.Context, _parameter: click.Parameter, text: str) -> int:
    match = re.fullmatch(r"([1-9][0-9]{0,14})([KMG]?)", text)
    if not match:
        raise click.BadParameter("a number of bytes, as in 500K, 100M or 2G")
    return int(match[1]) * _UNITS[match[2]]


def _hash(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str | None:
    digits = text.lower().removeprefix("sha256:") if text else ""
    if text is not None and not re.fullmatch("[0-9a-f]{64}", digits):
        raise click.BadParameter("64 hexadecimal digits, as sha256sum writes them")
    return digits or None


@click.command("fetch")
@click.argument(
    "words",
    metavar="REPO REF PATH | URL",
    nargs=-1,
    required=True,
    type=CatalogueName(lambda catalogue: catalogue.names("git")),
)
@click.option("--output-file", metavar="F", type=click.Path(), help="File to write; default: the standard output.")
@click.option("--sha256", metavar="HEX", callback=_hash, help="What the file must be; a mirror with another is no use.")
@click.option("--verify", is_flag=True, help="Compare with the origin's file first; exit 1 if they differ.")
@click.option(
    "--timeout",
    type=Seconds(0.05, 86400),
    default=10.0,
    show_default=True,
    metavar="S",
    help="How many seconds a server may take to answer, or to send more.",
)
@click.option(
    "--max-size",
    default="2G",
    show_default=True,
    metavar="BYTES",
    callback=_size,
    help="How long the file may be, as in 500K, 100M or 2G.",
)
@click.option(
    "--token-file",
    "token_files",
    multiple=True,
    metavar="HOSTKIND=FILE",
    help="Token for that kind of host; also CRANE_MIRRORS_TOKEN_HOSTKIND, such as CRANE_MIRRORS_TOKEN_CODING.",
)
@options("mirror", "output", "region", "catalogue", "no_project", "fastest", "offline_ok", "max_age", "auth")
def command(
    settings: Settings,
    words: tuple[str, ...],
    output_file: str | None,
    token_files: tuple[str, ...],
    verify: bool,
    **wanted: Any,
) -> int:
    """Download a file of a Git repository, or a chart's archive, from the best mirror that works.

    A mirror that fails, answers with a login page, or has not what --sha256 says, is passed over. Nothing is written
    before all of it is there: a file is the old one or the new one. With --output json the route that was taken is
    told on the standard output, or on stderr when the file itself goes to the standard output.
    """
    path = None if output_file == "-" else output_file
    rows: list[dict[str, Any]] = []
    try:
        answer, fetch = _prepared(settings, words, token_files, verify=verify, **wanted)
        try:
            with _progress() as fetch.tell:
                taken = fetch.to_stream(sys.stdout.buffer) if path is None else fetch.to_file(path)
        finally:
            rows += [_row(answer, fetch, path)] if fetch.attempts else []
        rows = [_row(answer, fetch, path, taken)]
    except CraneMirrorsError as error:
        _tell(settings, Result("fetch", rows=rows, errors=[error_row(error)]), path)
        raise
    if path is not None or settings.format not in ("json", "yaml"):
        before = "".join(f", after {attempt.route.place.name}: {attempt.cause}" for attempt in fetch.attempts[:-1])
        say(f"{path or 'fetched'}: {taken.size} bytes from {taken.route.place.name}, {taken.route.target}{before}")
    _tell(settings, Result("fetch", rows=rows), path)
    return 0


def _prepared(
    settings: Settings,
    words: tuple[str, ...],
    token_files: tuple[str, ...],
    *,
    verify: bool,
    sha256: str | None,
    timeout: float,
    max_size: int,
) -> tuple[Answer, Fetch]:
    from crane_mirrors.cli._download import Fetch
    from crane_mirrors.cli._tokens import Tokens
    from crane_mirrors.live.download import Bounds

    layers = settings.layers
    answer = _resolved(settings, words)
    tokens, login = Tokens(token_files, layers.project), _logins(settings, answer)
    for text in answer.notes:
        note(text)
    routes, origin = routes_to_try(settings._replace(timeout=timeout), answer), None
    if verify and routes[0].place.is_origin:
        routes = routes[:1]  # from elsewhere it could not be compared, as the origin did not answer
    elif verify:
        origin = next((route for route in answer.routes if route.place.is_origin), None)
        if not origin:
            raise NoRoute(f"the origin of {answer.kind} '{answer.name}' has no address for this: leave out --verify")
    return answer, Fetch(routes, tokens.secret, login, Bounds(timeout, max_size), _silent, sha256, origin)


def _logins(settings: Settings, answer: Answer) -> Callable[[str], Login | None]:
    if not settings.auth:
        return lambda _host: None
    from crane_mirrors.cli._credentials import logins

    if not answer.best.target.startswith("oci://"):
        raise InvalidInput("--auth is for a chart in a registry: for a file give a token, see --token-file")
    return logins(route.place.host for route in answer.routes)


def _resolved(settings: Settings, words: tuple[str, ...]) -> Answer:
    layers = settings.layers
    catalogue = layers.load()
    if layers.project_counts(catalogue):
        note(f"{layers.project} has a part in where this comes from (--no-project leaves it out)")
    choice = choice_of_all(settings)
    if len(words) == 3:
        from crane_mirrors.resolve.raw import resolve_raw

        return resolve_raw(catalogue, *words, choice)
    if len(words) != 1:
        raise click.UsageError("give REPO REF PATH, or one URL", click.get_current_context())
    from crane_mirrors.resolve.strings import resolve_string

    answer = resolve_string(catalogue, words[0], choice)
    if answer.kind not in ("raw", "chart"):
        raise InvalidInput(f"that is the {answer.kind} '{answer.name}', and no file or chart's archive")
    return answer


def _silent(length: int, total: int | None) -> None:
    """Nobody looks on."""


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[int, int | None], None]]:
    """Show how far it is, on a terminal only."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield _silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("")
        yield lambda length, total: progress.update(task, completed=length, total=total)


def _row(answer: Answer, fetch: Fetch, path: str | None, taken: Taken | None = None) -> dict[str, Any]:
    place = taken.route.place if taken else None
    return {
        "kind": answer.kind,
        "name": answer.name,
        "status": "fetched" if taken else "failed",
        "mirror": place and place.name,
        "host": place and place.host,
        "url": taken and taken.route.target,
        "file": path,
        "bytes": taken and taken.size,
        "sha256": taken and taken.sha256,
        "attempts": [
            {"mirror": route.place.name, "url": route.target, "cause": cause} for route, cause, _ in fetch.attempts
        ],
    }


def _tell(settings: Settings, result: Result, path: str | None) -> None:
    """Write the envelope where the file does not go; there are no lines for people but those on stderr."""
    if settings.format not in ("json", "yaml"):
        return
    stream = sys.stderr if path is None else sys.stdout
    if stream is not None:
        stream.write(render(settings.format, result, terminal()))
