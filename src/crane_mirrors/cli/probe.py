"""``crane-mirrors probe``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from crane_mirrors.cli._answer import emit
from crane_mirrors.cli._credentials import logins
from crane_mirrors.cli._live import milliseconds, progress
from crane_mirrors.cli._messages import complain
from crane_mirrors.cli._settings import options
from crane_mirrors.cli._subjects import Subject, Wanted, subject_options, subjects
from crane_mirrors.errors import NetworkFailed
from crane_mirrors.model import printable
from crane_mirrors.render import Result

if TYPE_CHECKING:
    from collections.abc import Callable

    from crane_mirrors.catalogue.entry import Place
    from crane_mirrors.cli._settings import Settings
    from crane_mirrors.live.probe import Measured
    from crane_mirrors.live.question import Question
    from crane_mirrors.live.tokens import Login
    from crane_mirrors.model import Kind

__all__ = ["command"]

_HEADER = ("KIND", "NAME", "MIRROR", "MEDIAN", "MIN", "SPREAD", "CONNECT", "CAUSE")


@click.command("probe")
@subject_options
@click.option(
    "--samples", type=click.IntRange(1, 100), default=3, show_default=True, help="Warm requests for each mirror."
)
@options("mirror", "region", "catalogue", "no_project", "output", "timeout", "auth")
def command(
    settings: Settings,
    names: tuple[str, ...],
    kinds: tuple[Kind, ...],
    raw: tuple[str, str, str] | None,
    samples: int,
) -> int:
    """Measure how long each mirror takes to answer, the fastest first.

    CONNECT is the time of a cold connection, the other columns are of requests on a warm one.
    """

    def make() -> Result:
        found = subjects(settings.layers.load(), settings, Wanted(names, kinds, None, raw))
        return _result(_measured(settings, found, samples))

    return emit(settings.format, "probe", make)


def _measured(settings: Settings, found: list[Subject], samples: int) -> list[tuple[Subject, Place, Measured]]:
    from crane_mirrors.live.runs import probe_all

    login = logins([place.host for subject in found for place in subject.chosen(settings)] if settings.auth else [])
    asked: dict[tuple[str, ...], tuple[Question, Place]] = {}
    wanted: list[tuple[Subject, Place, tuple[str, ...]]] = []
    for subject in found:
        for place in subject.chosen(settings):
            key, question = _question(subject, place, login)
            asked.setdefault(key, (question, place))
            wanted.append((subject, place, key))
    with progress("probing", len(asked)) as done:
        results = dict(zip(asked, probe_all(list(asked.values()), settings.timeout, samples, done), strict=True))
    return [(subject, place, results[key]) for subject, place, key in wanted]


def _question(subject: Subject, place: Place, login: Callable[[str], Login | None]) -> tuple[tuple[str, ...], Question]:
    """Give what is asked, and a key: with no image named, a registry is asked once for all its images."""
    from crane_mirrors.live.image import ImageQuestion
    from crane_mirrors.live.questions import question_of

    if subject.answer.kind == "image" and not subject.named:
        return ("registry", place.host), ImageQuestion(None)
    target = next(route.target for route in subject.answer.routes if route.place is place)
    return (subject.answer.kind, target), question_of(subject.answer, login=login)


def _result(found: list[tuple[Subject, Place, Measured]]) -> Result:
    found.sort(key=lambda item: (item[2].median is None, item[2].median))
    rows = [_row(*item) for item in found]
    alive = [row for row in rows if row["status"] == "alive"]
    cells = _grouped(rows, [id(measured) for _, _, measured in found])
    lines = [f"{row['kind']} {row['name']} {row['mirror']} {row['status']} {_shortly(row)}" for row in rows]
    errors = []
    if not alive:
        complain("no mirror gave a right answer")
        errors = [{"exit_code": NetworkFailed.exit_code, "message": "no mirror gave a right answer"}]
    code = 0 if alive else NetworkFailed.exit_code
    return Result("probe", rows, lines, _HEADER, cells, remarks=True, errors=errors, code=code)


def _row(subject: Subject, place: Place, measured: Measured) -> dict[str, Any]:
    cold = measured.cold
    return {
        "kind": subject.answer.kind,
        "name": subject.answer.name,
        "mirror": place.name,
        "host": place.host,
        "origin": place.is_origin,
        "status": "alive" if measured.alive else "failed",
        "connect_ms": cold.connect if cold else None,
        "dns_ms": cold.dns if cold else None,
        "tcp_ms": cold.tcp if cold else None,
        "tls_ms": cold.tls if cold else None,
        "median_ms": measured.median,
        "min_ms": min(measured.samples, default=None),
        "spread_ms": measured.spread,
        "samples_ms": list(measured.samples),
        "http_status": measured.status,
        "cause": measured.cause,
    }


def _grouped(rows: list[dict[str, Any]], measured: list[int]) -> list[tuple[str, ...]]:
    """Give a line for each measurement, a registry's for all its images, and those that failed apart at the end."""
    alive: list[tuple[str, ...]] = []
    failed: list[tuple[str, ...]] = []
    for row, one in zip(rows, measured, strict=True):
        number = measured.count(one)
        if row is not rows[measured.index(one)]:
            continue
        name = row["name"] if number == 1 else f"{row['name']} +{number - 1}"
        times = (milliseconds(row[field]) for field in ("median_ms", "min_ms", "spread_ms", "connect_ms"))
        cells = (row["kind"], name, row["mirror"], *times, printable(row["cause"] or ""))
        (alive if row["status"] == "alive" else failed).append(cells)
    return [*alive, *([("",) * len(_HEADER)] if alive and failed else []), *failed]


def _shortly(row: dict[str, Any]) -> str:
    return milliseconds(row["median_ms"]) if row["status"] == "alive" else printable(row["cause"])
