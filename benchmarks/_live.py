"""The measurements of what asks mirrors: `probe`, `--fastest` and `check`, behind a link with a delay."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from _link import HERE, SERVED, Network, need, network
from _measure import Call, Row, at_most, paired
from _world import World

ROUND_TRIP = 0.1
"""Seconds that a packet and its answer take."""

MIRRORS = 100
JOBS = 8
"""How many programs the script runs at a time that `check` is measured against."""

_VERSIONS = 50
_TOKENS = {"registry-1.docker.io": "auth.docker.io/token", "ghcr.io": "ghcr.io/token"}
_SCRIPT = {
    "image": "{skopeo} inspect --raw docker://{reference}",
    "git": "{git} ls-remote --quiet {url}",
    "helm": "{curl} --fail --silent --show-error --output /dev/null {url}/index.yaml",
}


class Tried(NamedTuple):
    """What these measurements need of a run: the program under test, its environment, room for files, and how often."""

    program: str
    environment: dict[str, str]
    folder: Path
    runs: int


def probe(tried: Tried) -> list[Row]:
    """Many mirrors at once, against one of them."""
    with charts(tried, MIRRORS, dead=0) as call:
        one, many = call("probe", "charts", "--samples", "1", "-m", "m1"), call("probe", "charts", "--samples", "1")
        _demand(f"{MIRRORS} mirrors are alive", output(many).count(" alive ") == MIRRORS)
        _demand("one mirror is alive", output(one).count(" alive ") == 1)
        one_spent, many_spent = paired(tried.runs, one, many)
    return [at_most(1.3, f"probe of {MIRRORS} mirrors", many_spent.whole, "of one of them", one_spent.whole)]


def fastest(tried: Tried) -> list[Row]:
    """A mirror that answers and two that never do, against the first alone, probed and asked in the same way.

    `probe` asks twice, for a cold connection and a warm one; a race ends with the first right answer. So the race of
    one mirror with nobody is the comparison that is like with like, and the harder one.
    """
    with charts(tried, 3, dead=2) as call:
        race = ("helm", "charts", "--fastest", "--max-age", "0s")
        calls = (call(*race), call("probe", "charts", "--samples", "1", "-m", "m0"), call(*race, "-m", "m0"))
        outputs = [output(each) for each in calls]
        _demand("the live mirror wins", outputs[0] == outputs[2] != "")
        three, probed, alone = paired(tried.runs, *calls)
    what = "--fastest, one mirror alive of 3"
    return [
        at_most(1.2, what, three.whole, "probe --samples 1 of that one", probed.whole),
        at_most(1.2, what, three.whole, "--fastest of that one", alone.whole),
    ]


def check(tried: Tried) -> list[Row]:
    """Every copy in the built-in catalogue, against a script that asks the same with the usual programs."""
    routes = built_in(tried)
    programs = {name: need(name) for name in ("skopeo", "git", "curl", "xargs", "env")}
    lines = [_SCRIPT[route["kind"]].format(**programs, **route) for route in routes]
    script = tried.folder / "check.jobs"
    script.write_text("\n".join([*lines, ""]))
    hosts = [host_of(route) for route in routes]
    with served(tried, [*hosts, "auth.docker.io"], 0, partial(_fill, routes)) as net:
        ours = net.call(tried.program, "check", "--output", "json")
        theirs = net.call(
            programs["xargs"], "-a", str(script), "-P", str(JOBS), "-L", "1", programs["env"], stdin="/dev/null"
        )
        verdicts = [row["verdict"] for row in json.loads(output(ours))["rows"]]
        _demand("all mirrors are fresh", set(verdicts) == {"fresh"})
        ours_spent, theirs_spent = paired(tried.runs, ours, theirs)
    what = f"check of the built-in catalogue, {len(verdicts)} mirrors"
    against = f"{len(lines)} runs of skopeo, git and curl, {JOBS} at a time"
    return [at_most(0.333, what, ours_spent.whole, against, theirs_spent.whole)]


@contextmanager
def charts(tried: Tried, mirrors: int, dead: int) -> Iterator[Callable[..., Call]]:
    """Build a catalogue with one Helm repository on so many hosts, the last of which never answer; give how to ask."""
    hosts = [f"m{number}.example.org" for number in range(mirrors)]
    catalogue = charts_catalogue(tried, hosts)

    def fill(world: World) -> None:
        for host in hosts:
            world.add_index("charts", f"https://{host}/charts", _VERSIONS)

    with served(tried, hosts, dead, fill) as net:
        yield lambda *words: net.call(tried.program, *words, "--catalogue", catalogue)


def charts_catalogue(tried: Tried, hosts: list[str]) -> str:
    """Write a catalogue with one Helm repository, a copy on each host, the last of them the origin; give its path."""
    *mirrors, origin = [f"https://{host}/charts" for host in hosts]
    rows = [f"      m{number}: {url}" for number, url in enumerate(mirrors)]
    lines = ["version: 1", "builtin: false", "helm:", "  charts:", f"    origin: {origin}"]
    path = tried.folder / f"{len(hosts)}-hosts.yaml"
    path.write_text("\n".join([*lines, *(["    mirrors:", *rows] if rows else []), ""]))
    return str(path)


@contextmanager
def served(
    tried: Tried, hosts: list[str], dead: int, fill: Callable[[World], None], delay: float = ROUND_TRIP
) -> Iterator[Network]:
    """Serve these hosts, the last ``dead`` of which never answer."""
    names = tuple(dict.fromkeys(hosts))
    addresses = {
        name: SERVED.format(128 if number >= len(names) - dead else 1, number + 1) for number, name in enumerate(names)
    }
    folder = tried.folder / f"world-{names[0]}-{len(names)}"
    folder.mkdir()
    world = World(folder, names)
    fill(world)
    server = (sys.executable, str(HERE / "_servers.py"), world.write())
    with network(addresses, server, {**tried.environment, **world.environment}, folder, delay) as built:
        yield built


def built_in(tried: Tried) -> list[dict[str, Any]]:
    """Give every origin and mirror in the built-in catalogue."""
    words = (tried.program, "list", "--output", "json")
    done = subprocess.run(words, env=tried.environment, capture_output=True, check=True)
    return [route for row in json.loads(done.stdout)["rows"] for route in row["routes"]]


def host_of(route: dict[str, Any]) -> str:
    """Give the host that a client asks for a route."""
    host = str(route["reference"].partition("/")[0] if route["kind"] == "image" else urlsplit(route["url"]).netloc)
    return "registry-1.docker.io" if host == "docker.io" else host


def _fill(routes: list[dict[str, Any]], world: World) -> None:
    world.table.tokens |= _TOKENS
    for route in routes:
        name = route["name"]
        if route["kind"] == "image":
            world.add_image(name, route["reference"], 1, 1000)
        elif route["kind"] == "git":
            world.add_repository(name, route["url"])
        else:
            world.add_index(name, route["url"], _VERSIONS)


def output(call: Call) -> str:
    """Run a command once, as a rehearsal; give what it writes. Ends the program when it fails."""
    done = subprocess.run(call.words, env=call.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"exit code {done.returncode} from: {' '.join(call.words)}\n{done.stderr}{done.stdout}")
    return done.stdout


def _demand(what: str, there: bool) -> None:
    if not there:
        raise SystemExit(f"benchmarks/run.py: what is measured is not what was meant: that {what}")
