"""The measurements of what transfers something or writes files: `config`, `fetch` and `pull`."""

from __future__ import annotations

import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Any

from _inputs import catalogue
from _link import HERE, Absent, need, network
from _live import Tried, built_in, charts_catalogue, host_of, output, served
from _measure import Call, Row, at_most, paired, peak_memory
from _world import World

ENTRIES = 10_000
LENGTH = 10**9
ROUND_TRIP = 0.05
JOBS = 4
FEW = 5
"""How often a transfer is measured: one takes seconds, and is the same each time."""

_LAYERS, _SIZE = 4, 500_000
_STORAGE = '[storage]\ndriver = "vfs"\ngraphroot = "{0}/root"\nrunroot = "{0}/run"\n'
_POLICY = '{"default": [{"type": "insecureAcceptAnything"}]}'


def config(tried: Tried) -> list[Row]:
    """Files for a large catalogue, against the calls that read it as well: from YAML, and from the cache.

    From YAML `catalogue validate` reads it and says no more than that it is valid; from the cache `list` reads it and
    prints a line for each entry. What Git's format is too slow for is left out.
    """
    many = catalogue(tried.folder, ENTRIES)
    rows = []
    for uncached in (True, False):
        how = {"CRANE_MIRRORS_NO_CACHE": "1"} if uncached else {}

        def call(*words: str, environment: dict[str, str] = how) -> Call:
            return Call((tried.program, *words), {**tried.environment, **environment})

        reading = call("catalogue", "validate", many) if uncached else call("list", "--catalogue", many)
        targets = ("registries.conf", "git")
        calls = [call("config", target, "--partial", "--catalogue", many) for target in targets]
        read, *spent = paired(FEW, reading, *(each._replace(stderr="/dev/null") for each in calls))
        against = f"{' '.join(reading.words[1:3])}, {'from YAML' if uncached else 'from the cache'}"
        for target, each in zip(targets, spent, strict=True):
            what = f"config {target}, {ENTRIES:,} entries"
            rows.append(at_most(3, what, each.whole, against.replace(many, "FILE"), read.whole))
    return rows


def fetch(tried: Tried) -> list[Row]:
    """A large file over TLS on loopback, against curl; and the memory that it takes."""
    curl, host, name = need("curl"), "m0.example.org", "charts/large-1.0.0.tgz"
    large = tried.folder / "large"
    with large.open("wb") as file:
        file.truncate(LENGTH)
    url, own = f"https://{host}/{name}", charts_catalogue(tried, [host])

    world = World(tried.folder, (host,))
    server = (sys.executable, str(HERE / "_file_server.py"), world.table.certificate, world.table.key, str(large))
    environment = {**tried.environment, **world.environment}
    with network({host: "127.0.0.1"}, server, environment, tried.folder, None) as net:
        files = [str(tried.folder / each) for each in ("ours", "theirs")]
        ours = net.call(tried.program, "fetch", url, "--output-file", files[0], "--catalogue", own)
        theirs = net.call(curl, "--fail", "--silent", "--show-error", "--output", files[1], url)
        ours = ours._replace(stderr="/dev/null")

        def before() -> None:
            for each in files:
                Path(each).unlink(missing_ok=True)

        ours_spent, theirs_spent = paired(FEW, ours, theirs, before=before)
        before()
        peak = peak_memory(ours)
    what = f"fetch of {LENGTH // 10**6:,} MB"
    memory = Row(f"memory of {what}", f"{peak:.1f} MB", "", "", "under 100 MB", peak < 100)
    return [at_most(1.1, what, ours_spent.whole, "curl", theirs_spent.whole), memory]


def pull(tried: Tried) -> list[Row]:
    """All images of the built-in catalogue into an empty store, several at once against one after the other."""
    podman = Path(need("podman"))
    routes = [route for route in built_in(tried) if route["kind"] == "image" and route["recommended"]]
    names = [str(route["name"]) for route in routes]
    store = tried.folder / "store"
    (tried.folder / "storage.conf").write_text(_STORAGE.format(store))
    settings = tried.folder / "home" / ".config" / "containers"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "policy.json").write_text(_POLICY)
    environment = {
        "CONTAINERS_STORAGE_CONF": str(tried.folder / "storage.conf"),
        "HOME": str(tried.folder / "home"),
        "XDG_CONFIG_HOME": str(tried.folder / "home" / ".config"),
        "PATH": f"{podman.parent}:{tried.environment['PATH']}",
    }

    def empty() -> None:
        shutil.rmtree(store, ignore_errors=True)

    with served(tried, [host_of(route) for route in routes], 0, partial(_fill, routes), ROUND_TRIP) as net:
        words = ("pull", "--client", "podman", *names, "--jobs")
        many, one = (
            net.call(tried.program, *words, str(jobs), environment=environment)._replace(stderr="/dev/null")
            for jobs in (JOBS, 1)
        )
        empty()
        try:
            _ = output(net.call(str(podman), "info", environment=environment))
        except SystemExit as error:
            raise Absent(f"podman does not work here: {error}") from None
        many_spent, one_spent = paired(FEW, many, one, before=empty)
        empty()
    what = f"pull --jobs {JOBS} of {len(names)} images, with podman"
    return [at_most(0.5, what, many_spent.whole, "pull --jobs 1", one_spent.whole)]


def _fill(routes: list[dict[str, Any]], world: World) -> None:
    for route in routes:
        world.add_image(route["name"], route["reference"], _LAYERS, _SIZE)
