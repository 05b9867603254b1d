"""``crane-mirrors check``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from crane_mirrors.cli._answer import emit
from crane_mirrors.cli._credentials import logins
from crane_mirrors.cli._live import duration, progress
from crane_mirrors.cli._messages import complain
from crane_mirrors.cli._settings import options
from crane_mirrors.cli._state import change_state, read_state
from crane_mirrors.cli._subjects import Subject, Wanted, subject_options, subjects
from crane_mirrors.errors import InvalidInput, NetworkFailed, NoRoute
from crane_mirrors.model import nearest, printable, shown
from crane_mirrors.reference import Reference
from crane_mirrors.render import Result, format_names

if TYPE_CHECKING:
    from crane_mirrors.cli._settings import Settings
    from crane_mirrors.cli._state import State
    from crane_mirrors.live.check import Compared
    from crane_mirrors.live.verdicts import Judged
    from crane_mirrors.model import Kind

__all__ = ["command"]

_HEADER = ("KIND", "NAME", "MIRROR", "VERDICT", "BEHIND", "WHY")


@click.command("check")
@subject_options
@click.option("--tag", metavar="T", help="Tag of images; default: the catalogue's, mostly main.")
@click.option("--platform", metavar="P", help="Compare one platform of images, as in linux/arm64.")
@click.option("--ref", metavar="REF", help="Compare one branch or tag of Git repositories.")
@click.option(
    "--fail-on",
    metavar="VERDICTS",
    default="overdue,diverged,missing",
    show_default=True,
    help="Verdicts, with commas, for which the exit code is 1; 'none' for none.",
)
@click.option(
    "-o", "--output", type=click.Choice(format_names("check")), help="Default: table on a terminal, or plain."
)
@options("mirror", "region", "catalogue", "no_project", "timeout", "auth")
def command(
    settings: Settings,
    names: tuple[str, ...],
    kinds: tuple[Kind, ...],
    tag: str | None,
    platform: str | None,
    ref: str | None,
    raw: tuple[str, str, str] | None,
    fail_on: str,
    output: str | None,
) -> int:
    """Say whether each mirror has what its origin has, and if not, since when."""
    settings = settings._replace(output=output)

    def make() -> Result:
        bad = _verdicts(fail_on)
        if raw and (ref or platform):
            raise InvalidInput("--raw names one file at one ref: leave out --ref and --platform")
        found = subjects(settings.layers.load(), settings, Wanted(names, kinds, tag, raw))
        compared = _compared(settings, found, platform, ref or (raw and raw[1]))
        rows = _judged(found, compared, {"image": platform, "git": ref, "raw": raw and " ".join(raw[1:])})
        return _result(rows, bad)

    return emit(settings.format, "check", make)


def _verdicts(text: str) -> frozenset[str]:
    from crane_mirrors.live.verdicts import VERDICTS

    words = frozenset(word.strip() for word in text.split(",")) - {"none", ""}
    for word in words:
        if word not in VERDICTS:
            raise InvalidInput(f"--fail-on: no verdict {shown(word)}: {nearest(word, list(VERDICTS))}")
    return words


def _compared(settings: Settings, found: list[Subject], platform: str | None, ref: str | None) -> list[list[Compared]]:
    from crane_mirrors.live.questions import question_of
    from crane_mirrors.live.runs import Comparison, compare_all
    from crane_mirrors.platforms import Platform

    wanted = Platform.parse(platform) if platform else None
    login = logins([route.place.host for subject in found for route in subject.answer.routes] if settings.auth else [])
    asked = [
        Comparison(
            question_of(subject.answer, ref=ref, platform=wanted, login=login),
            subject.entry.origin,
            tuple(place for place in subject.chosen(settings) if not place.is_origin),
        )
        for subject in found
    ]
    if not any(comparison.mirrors for comparison in asked):
        names = ", ".join(shown(subject.answer.name) for subject in found[:3])
        raise NoRoute(f"there is no mirror of {names} to compare with the origin")
    with progress("checking", sum(len(comparison.mirrors) for comparison in asked)) as done:
        return compare_all(asked, settings.timeout, done)


def _judged(found: list[Subject], compared: list[list[Compared]], parts: dict[str, str | None]) -> list[dict[str, Any]]:
    from crane_mirrors.intervals import Interval
    from crane_mirrors.live.verdicts import judge_compared

    now = time.time()
    remembered = read_state()["behind"]
    behind: dict[str, list[Any] | None] = {}
    rows = []
    for subject, mirrors in zip(found, compared, strict=True):
        synced = subject.entry.synced
        promised = Interval.parse(synced).seconds if synced else None
        for one in mirrors:
            key = _key(subject, one, parts.get(subject.answer.kind))
            kept = remembered.get(key)
            seen = kept[1] if kept and kept[0] == one.state else now
            judged = judge_compared(one, promised, seen, now)
            if one.difference is not None:
                behind[key] = [one.state, min(seen, now)] if one.difference else None
            rows.append(_row(subject, one, judged, parts.get(subject.answer.kind)))
    if any(row or key in remembered for key, row in behind.items()):
        change_state(lambda state: _remember(state, behind))
    return rows


def _remember(state: State, behind: dict[str, list[Any] | None]) -> None:
    for key, row in behind.items():
        state["behind"].pop(key, None)
        if row:
            state["behind"][key] = row


def _key(subject: Subject, compared: Compared, part: str | None) -> str:
    """Name what was compared; a part of it, one platform or ref, says nothing about the rest."""
    targets = {route.place.name: route.target for route in subject.answer.routes}
    key = f"{subject.answer.kind} {targets.get(compared.place.name)} {subject.entry.origin.location}"
    return f"{key} {part}" if part else key


def _row(subject: Subject, compared: Compared, judged: Judged, part: str | None) -> dict[str, Any]:
    tag = Reference.parse(subject.answer.best.target).tag if subject.answer.kind == "image" else None
    return {
        "kind": subject.answer.kind,
        "name": subject.answer.name,
        "what": " ".join(filter(None, (tag, part))) or None,
        "mirror": compared.place.name,
        "host": compared.place.host,
        "verdict": judged.verdict,
        "cause": judged.cause,
        "details": list(judged.details),
        "promised": subject.entry.synced,
        "lag_seconds": None if judged.lag is None else round(judged.lag, 3),
        "since": judged.since and time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(judged.since)),
        "latency_ms": None if compared.took is None else round(compared.took, 3),
    }


def _result(rows: list[dict[str, Any]], bad: frozenset[str]) -> Result:
    cells = [
        (
            *(row[field] for field in ("kind", "name", "mirror", "verdict")),
            duration(row["lag_seconds"]) if row["verdict"] != "fresh" else "",
            printable(row["cause"] or "; ".join(row["details"][:1])),
        )
        for row in rows
    ]
    lines = [" ".join(filter(None, (*cell[:4], cell[5]))) for cell in cells]
    if all(row["verdict"] in ("unreachable", "unknown") for row in rows):
        complain("no mirror could be compared with its origin")
        error = {"exit_code": NetworkFailed.exit_code, "message": "no mirror could be compared with its origin"}
        return Result("check", rows, lines, _HEADER, cells, remarks=True, errors=[error], code=NetworkFailed.exit_code)
    code = int(any(row["verdict"] in bad for row in rows))
    return Result("check", rows, lines, _HEADER, cells, remarks=True, code=code)
