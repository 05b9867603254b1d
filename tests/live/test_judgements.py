"""What is made of facts: differences, verdicts, numbers for people, and gauges for Prometheus."""

from __future__ import annotations

import math
import re
import string
from typing import Any

import pytest
from conftest import examples
from hypothesis import given
from hypothesis import strategies as st

from crane_mirrors.catalogue.entry import Place
from crane_mirrors.cli._live import duration, milliseconds
from crane_mirrors.live.causes import Failed, NotThere, status_cause
from crane_mirrors.live.charts import Chart
from crane_mirrors.live.check import Compared
from crane_mirrors.live.differences import Difference, compare_charts, compare_digests, compare_refs, signature
from crane_mirrors.live.verdicts import VERDICTS, judge, judge_compared
from crane_mirrors.reference import Repository
from crane_mirrors.render import Result, Terminal, render
from crane_mirrors.tags import is_immutable

A, B, C = (letter * 40 for letter in "abc")
HEAD, OTHER, TAG = "refs/heads/main", "refs/heads/dev", "refs/tags/v1"


@pytest.mark.parametrize(
    ("origin", "mirror", "known", "behind", "foreign"),
    [
        ({HEAD: A}, {HEAD: A}, "", 0, 0),
        ({}, {}, "", 0, 0),
        ({HEAD: A, OTHER: B}, {HEAD: A}, "", 1, 0),
        ({HEAD: A, TAG: A}, {HEAD: A}, "", 1, 0),
        ({HEAD: B}, {HEAD: A}, A, 1, 0),  # an older commit
        ({HEAD: B}, {HEAD: A}, "", 0, 1),  # a commit that the origin never had
        ({TAG: B}, {TAG: A}, A, 0, 1),  # a tag does not move
        ({HEAD: A}, {HEAD: A, OTHER: B}, B, 1, 0),  # a branch that was deleted
        ({HEAD: A}, {HEAD: A, OTHER: B}, "", 0, 1),
        ({HEAD: A}, {HEAD: A, TAG: A}, A, 1, 0),
        ({}, {HEAD: A}, "", 0, 1),
        ({HEAD: B, OTHER: B}, {HEAD: A}, A, 2, 0),
        ({HEAD: B, OTHER: B}, {HEAD: A}, "", 1, 1),
    ],
)
def test_refs(origin: dict[str, str], mirror: dict[str, str], known: str, behind: int, foreign: int) -> None:
    """What a mirror lacks is behind, what the origin never had is foreign, and the origin's word settles the rest."""
    settled = compare_refs(origin, mirror).settled({known})
    assert (len(settled.behind), len(settled.foreign), settled.suspects) == (behind, foreign, {})
    assert bool(settled) == (origin != mirror)


REFS = st.dictionaries(st.sampled_from([HEAD, OTHER, TAG, "refs/tags/v2"]), st.sampled_from([A, B, C]))


@given(REFS, REFS, st.sets(st.sampled_from([A, B, C])))
def test_refs_differ_exactly_where_they_do(origin: dict[str, str], mirror: dict[str, str], known: set[str]) -> None:
    """There is a difference where, and only where, the refs are not the same; asking the origin hides none."""
    difference = compare_refs(origin, mirror)
    assert bool(difference) == bool(difference.settled(known)) == (origin != mirror)
    assert set(difference.suspects) <= set(mirror.values())


KEY, NEW = ("craned", "1.0.0"), ("craned", "2.0.0")


@pytest.mark.parametrize(
    ("origin", "mirror", "behind", "foreign", "since"),
    [
        ({KEY: Chart("a")}, {KEY: Chart("a")}, 0, 0, None),
        ({KEY: Chart("a")}, {KEY: Chart(None)}, 0, 0, None),  # a mirror that names no digest
        ({KEY: Chart(None)}, {KEY: Chart("b")}, 0, 0, None),
        ({KEY: Chart("a")}, {KEY: Chart("b")}, 0, 1, None),
        ({KEY: Chart("a"), NEW: Chart("b", 5.0)}, {KEY: Chart("a")}, 1, 0, 5.0),
        ({KEY: Chart("a", 3.0), NEW: Chart("b", 5.0)}, {}, 2, 0, 3.0),
        ({KEY: Chart("a"), NEW: Chart("b", 5.0)}, {}, 2, 0, None),  # one of them does not say when
        ({KEY: Chart("a", 1.0)}, {KEY: Chart("a", 9.0)}, 0, 0, None),  # an index that was made anew
        ({}, {KEY: Chart("a")}, 0, 1, None),
        ({NEW: Chart("b", 5.0)}, {KEY: Chart("a")}, 1, 1, 5.0),
    ],
)
def test_charts(
    origin: dict[Any, Chart], mirror: dict[Any, Chart], behind: int, foreign: int, since: float | None
) -> None:
    """Versions are compared by their digest where both sides name one, and by nothing that changes by itself."""
    difference = compare_charts(origin, mirror)
    assert (len(difference.behind), len(difference.foreign), difference.since) == (behind, foreign, since)


def test_digests() -> None:
    """The same digest is no difference; another one under a tag that never moves is foreign, or else a suspect."""
    assert not compare_digests("sha256:a", "sha256:a", immutable=True, what="x")
    assert compare_digests("sha256:a", "sha256:b", immutable=True, what="x").foreign
    assert set(compare_digests("sha256:a", "sha256:b", immutable=False, what="x").suspects) == {"sha256:b"}


@given(st.dictionaries(st.text(), st.text()), st.dictionaries(st.text(), st.text()))
def test_signatures(one: dict[str, str], other: dict[str, str]) -> None:
    """The same facts in any order have one signature, and others have another."""
    assert signature(one) == signature(dict(reversed(one.items())))
    assert (signature(one) == signature(other)) == (one == other)
    assert re.fullmatch("[0-9a-f]{32}", signature({"\udcff": "\ud800"}))


BEHIND = Difference(behind=("a 2 is missing",))
HOUR = 3600


@pytest.mark.parametrize(
    ("difference", "promised", "seen", "now", "verdict", "lag"),
    [
        (Difference(), HOUR, 0, 10**6, "fresh", 0),
        (Difference(notes=("x",)), None, 0, 10**6, "fresh", 0),
        (BEHIND, HOUR, 1000, 1000, "lagging", 0),
        (BEHIND, HOUR, 1000, 1000 + HOUR, "lagging", HOUR),
        (BEHIND, HOUR, 1000, 1001 + HOUR, "overdue", HOUR + 1),
        (BEHIND, None, 1000, 1000, "overdue", 0),
        (BEHIND, HOUR, 5000, 1000, "lagging", 0),  # a clock that was put back
        (Difference(behind=("a",), since=1000), HOUR, 9000, 9000, "overdue", 8000),
        (Difference(behind=("a",), since=10**9), HOUR, 1000, 1500, "lagging", 500),  # an origin whose clock is ahead
        (Difference(foreign=("a",)), HOUR, 1000, 1000, "diverged", 0),
        (Difference(behind=("a",), foreign=("b",)), HOUR, 1000, 1000, "diverged", 0),
    ],
)
def test_verdicts(
    difference: Difference, promised: int | None, seen: float, now: float, verdict: str, lag: float
) -> None:
    """Behind is lagging within the promise, to the second, and overdue after it or without one."""
    judged = judge(difference, promised, seen, now)
    assert (judged.verdict, judged.lag) == (verdict, lag)


TIMES = st.floats(0, 2**40)


@given(
    st.builds(Difference, st.lists(st.text()).map(tuple), st.lists(st.text()).map(tuple), since=st.none() | TIMES),
    st.none() | st.integers(1, 10**8), TIMES, TIMES,
)  # fmt: skip
def test_no_verdict_has_a_negative_lag(difference: Difference, promised: int | None, seen: float, now: float) -> None:
    """Whatever the clocks say: a lag is never negative, and details are all there."""
    judged = judge(difference, promised, seen, now)
    assert judged.lag is not None
    assert judged.lag >= 0
    assert judged.details == (*difference.foreign, *difference.behind)  # they are few, and short
    assert (judged.verdict == "fresh") == (not difference)


def test_details_do_not_flood() -> None:
    """A server that has very much to tell, or tells it at length, gets a thousand lines of five hundred characters."""
    judged = judge(Difference(behind=("x" * 10**6,) * 10**5), None, 0, 0)
    assert len(judged.details) == 1001
    assert judged.details[-1] == "and 99000 more"
    assert max(map(len, (*judged.details, judged.cause or ""))) < 540


PLACE = Place("ghcr", Repository("ghcr.io", "gocrane/crane/craned"), "ghcr", None, "built-in")


@pytest.mark.parametrize(
    ("compared", "verdict", "cause"),
    [
        (Compared(PLACE, None, NotThere("404")), "missing", "404"),
        (Compared(PLACE, None, Failed("refused")), "unreachable", "refused"),
        (Compared(PLACE, None, Failed("refused"), Failed("timeout")), "unreachable", "refused"),
        (Compared(PLACE, None, None, Failed("timeout")), "unknown", "origin: timeout"),
        (Compared(PLACE, Difference()), "fresh", None),
    ],
)
def test_verdicts_of_what_failed(compared: Compared, verdict: str, cause: str | None) -> None:
    """A mirror that does not answer is unreachable whatever its origin does, and nobody is fresh without an origin."""
    judged = judge_compared(compared, None, 0, 0)
    assert (judged.verdict, judged.cause) == (verdict, cause)


@pytest.mark.parametrize(
    ("status", "retry_after", "expected"),
    [
        (404, None, "404"),
        (503, "30", "503"),
        (429, None, "rate limited"),
        (429, "30", "rate limited, retry in 30 s"),
        (429, "0", "rate limited, retry in 0 s"),
        (429, "-1", "rate limited"),
        (429, "1e9", "rate limited"),
        (429, "9" * 30, "rate limited"),
        (429, "²", "rate limited"),
        (429, "\x1b[2J", "rate limited"),
        (429, "Wed, 21 Oct 2015 07:28:00 GMT", "rate limited"),
    ],
)
def test_status_causes(status: int, retry_after: str | None, expected: str) -> None:
    """A status is its own cause, and only a plain number of seconds is repeated."""
    assert status_cause(status, retry_after) == expected


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("main", False),
        ("latest", False),
        ("main-abc1234", True),
        ("main-v0.11.0-3-gabc1234", True),
        ("main-v0.11.0", True),
        ("pr-12-abc1234", True),
        ("v0.11.0", True),
        ("0.11.0", True),
        ("1.2.3-rc.1", True),
        ("1.2.3+build", True),
        ("v1", False),
        ("1.2", False),
        ("release-1.2", False),
        ("", False),
        ("v1.2.3\n", False),
        ("abc1234", False),
        ("main-abc123", False),  # too short to be a commit for sure
        ("x" * 120 + "-abc1234567890", False),
    ],
)
def test_tags_that_never_move(tag: str, expected: bool) -> None:
    """A commit's tag and a whole version stay what they are; a branch's and a part of a version move."""
    assert is_immutable(tag) is expected


@given(st.text(max_size=200))
def test_tags_of_any_text(tag: str) -> None:
    """Whatever a tag is, the answer comes."""
    assert is_immutable(tag) in (True, False)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(None, ""), (0, "0s"), (0.9, "0s"), (59.9, "59s"), (60, "1m"), (3599, "59m"), (3600, "1h"), (86399, "23h"),
     (86400, "1d"), (10**9, "11574d")],
)  # fmt: skip
def test_durations(seconds: float | None, expected: str) -> None:
    """The largest unit that is full, and no unit that is not."""
    assert duration(seconds) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, ""), (0, "0.0 ms"), (0.04, "0.0 ms"), (1.25, "1.2 ms"), (99.94, "99.9 ms"), (100, "100 ms"),
     (4999.6, "5000 ms")],
)  # fmt: skip
def test_milliseconds(value: float | None, expected: str) -> None:
    """Three digits tell enough, and what was not measured is empty."""
    assert milliseconds(value) == expected


# Prometheus's text exposition, with a parser that knows nothing of how it is written.

_SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\{(.*)\} (\S+)")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')


def exposition(text: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Read the format, in its strictest reading: one HELP and one TYPE of each metric before all of its samples."""
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    current, seen = "", set()
    assert text == "" or text.endswith("\n")
    for line in text.removesuffix("\n").split("\n") if text else ():
        if line.startswith("# HELP "):
            current = line.split(" ")[2]
            assert current not in seen
            assert len(line.split(" ")) > 3
            seen.add(current)
        elif line.startswith("# TYPE "):
            assert line == f"# TYPE {current} gauge"
            assert current not in found
            found[current] = []
        else:
            match = _SAMPLE.fullmatch(line)
            assert match, line
            assert match[1] == current
            labels, position = {}, 0
            while position < len(match[2]):
                label = _LABEL.match(match[2], position)
                assert label, line
                assert label[1] not in labels
                labels[label[1]] = re.sub(r"\\(.)", lambda escape: {"n": "\n"}.get(escape[1], escape[1]), label[2])
                position = label.end()
            assert labels not in [known for known, _ in found[current]], "two samples of one series"
            found[current].append((labels, float(match[3])))
    return found


def row(name: str, mirror: str, verdict: str, **more: Any) -> dict[str, Any]:
    known = {"kind": "git", "name": name, "what": None, "mirror": mirror, "host": "h.example", "verdict": verdict}
    return known | {"cause": None, "details": [], "lag_seconds": None, "latency_ms": None} | more


def prometheus(rows: list[dict[str, Any]]) -> dict[str, list[tuple[dict[str, str], float]]]:
    return exposition(render("prometheus", Result("check", rows), Terminal(80, False, True)))


def test_gauges() -> None:
    """Up, fresh, lag and latency, each where it is known, and absent where it is not."""
    rows = [
        row("crane", "a", "fresh", lag_seconds=0.0, latency_ms=12.5),
        row("crane", "b", "overdue", lag_seconds=90_000.0, latency_ms=1000.0),
        row("crane", "c", "missing", latency_ms=3.0),
        row("crane", "d", "unreachable", latency_ms=1000.0),
        row("crane", "e", "unknown", latency_ms=5.0),
    ]
    found = prometheus(rows)
    values = {name: {labels["mirror"]: value for labels, value in samples} for name, samples in found.items()}
    assert values["crane_mirrors_up"] == {"a": 1, "b": 1, "c": 1, "d": 0, "e": 1}
    assert values["crane_mirrors_fresh"] == {"a": 1, "b": 0, "c": 0}
    assert values["crane_mirrors_lag_seconds"] == {"a": 0, "b": 90_000}
    assert values["crane_mirrors_latency_seconds"]["a"] == 0.0125
    assert set(found["crane_mirrors_up"][0][0]) == {"kind", "name", "what", "mirror", "host"}


def test_one_series_has_one_sample() -> None:
    """Two tags of an image are two series; the same one, asked about twice, is one, or the file would be invalid."""
    asked = (("fresh", "v1"), ("fresh", "v2"), ("missing", "v2"))
    rows = [row("craned", "a", verdict, what=what) for verdict, what in asked]
    found = prometheus(rows)
    values = {labels["what"]: value for labels, value in found["crane_mirrors_fresh"]}
    assert values == {"v1": 1, "v2": 0}


def test_no_rows_make_no_gauges() -> None:
    """Nothing to tell is an empty file, which is valid."""
    assert prometheus([]) == {}


@examples(200)
@given(
    st.lists(
        st.tuples(st.text(), st.text(string.printable), st.sampled_from(VERDICTS), st.none() | st.floats(0, 1e12)),
        max_size=6, unique_by=lambda item: item[:2],
    )
)  # fmt: skip
def test_gauges_of_anything(items: list[tuple[str, str, str, float | None]]) -> None:
    """Whatever stands in a label comes back as it was, and every number is one."""
    rows = [row(name, mirror, verdict, lag_seconds=lag, latency_ms=lag) for name, mirror, verdict, lag in items]
    found = prometheus(rows)
    up = [(labels["name"], labels["mirror"]) for labels, _ in found.get("crane_mirrors_up", ())]
    assert up == [(name, mirror) for name, mirror, _, _ in items]
    for name, mirror, _, lag in items:
        for labels, value in found.get("crane_mirrors_lag_seconds", ()):
            if (labels["name"], labels["mirror"]) == (name, mirror):
                assert lag is not None
                assert math.isclose(value, lag, rel_tol=1e-5)
