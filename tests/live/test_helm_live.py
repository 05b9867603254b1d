"""Helm repositories made by helm itself: what `probe`, `check` and `--fastest` say of their indexes."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from live.asking import TIMEOUT, Live, measured, rows_of
from servers.helm import helm, helm_server, index_text, make_charts, versions
from servers.images import make_image
from servers.listener import refused
from servers.registry import registry
from servers.web import Web, file, login_page, redirect, routes, web

CHARTS = {"craned": ["0.9.0", "0.10.0"], "fadvisor": ["1.0.0"]}


@dataclass(frozen=True, slots=True)
class Charts:
    """One folder for each copy, one server for the origin and one for all mirrors."""

    root: Path
    origin: Web
    mirror: Web

    def url(self, copy: str) -> str:
        return f"{(self.origin if copy == 'origin' else self.mirror).url}/{copy}"

    def copy(self, name: str) -> Path:
        """Copy the origin's charts, as a synchronisation would, without their index."""
        folder = self.root / name
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir()
        for archive in (self.root / "origin").glob("*.tgz"):
            shutil.copy2(archive, folder)
        return folder

    def index(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = yaml.safe_load((self.root / name / "index.yaml").read_text(encoding="utf-8"))
        return found


@pytest.fixture(scope="module")
def charts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Charts]:
    """Let helm package and index charts, once as the origin has them and once for each state of a mirror."""
    root = tmp_path_factory.mktemp("charts")
    (root / "origin").mkdir()
    make_charts(root / "origin", CHARTS)
    with helm_server(root) as origin, helm_server(root) as mirror:
        found = Charts(root, origin, mirror)
        helm(root, "repo", "index", str(found.copy("fresh")))
        late = found.copy("late")
        (late / "craned-0.10.0.tgz").unlink()
        helm(root, "repo", "index", str(late))
        for name in CHARTS:
            (root / "changed" / ".source" / name).mkdir(parents=True)
            (root / "changed" / ".source" / name / "README.md").write_text("Changed\n", encoding="ascii")
        make_charts(root / "changed", CHARTS)
        helm(root, "repo", "index", str(found.copy("back")), "--url", found.url("origin"))
        more = found.copy("more")
        make_charts(more, {"craned": ["9.9.9"]})
        yield found


def add(live: Live, charts: Charts, *states: str, synced: str | None = None) -> None:
    live.add("helm", "crane", origin=charts.url("origin"), synced=synced, **{name: charts.url(name) for name in states})


def test_each_state_has_its_verdict(live: Live, charts: Charts) -> None:
    """A missing version is late; other bytes of a version, or one that the origin never had, are of other descent."""
    add(live, charts, "fresh", "late", "changed", "more", "nothing")
    rows = {row["mirror"]: row for row in live.rows("check", "crane", *TIMEOUT, code=1)}
    assert {name: row["verdict"] for name, row in rows.items()} == {
        "fresh": "fresh",
        "late": "overdue",
        "changed": "diverged",
        "more": "diverged",
        "nothing": "missing",
    }
    assert rows["late"]["details"] == ["craned 0.10.0 is missing"]
    assert rows["more"]["details"] == ["craned 9.9.9 is not at the origin"]
    assert len(rows["changed"]["details"]) == 3
    assert "(and 2 more)" in rows["changed"]["cause"]


def test_digests_are_those_of_what_helm_pulls(live: Live, charts: Charts) -> None:
    """The digests that are compared are the SHA-256 of the archives that helm gets from each side."""
    add(live, charts, "changed")
    row = live.row("check", "crane", code=1)
    found = {}
    for copy in ("changed", "origin"):
        target = live.folder / copy
        target.mkdir()
        helm(target, "pull", "craned", "--repo", charts.url(copy), "--version", "0.9.0")
        found[copy] = hashlib.sha256((target / "craned-0.9.0.tgz").read_bytes()).hexdigest()
    assert f"craned 0.9.0 is {found['changed']}, at the origin {found['origin']}" in row["details"]


def test_a_missing_version_is_late_since_it_was_made(live: Live, charts: Charts) -> None:
    """The origin's `created` tells since when, with nothing remembered; within the promise it is lagging."""
    add(live, charts, "late", synced="6h")
    row = live.row("check", "crane")
    (created,) = [
        each["created"] for each in charts.index("origin")["entries"]["craned"] if each["version"] == "0.10.0"
    ]
    made = datetime.fromisoformat(re.sub(r"\.(\d{6})\d*", r".\1", str(created))).timestamp()
    assert (row["verdict"], row["promised"]) == ("lagging", "6h")
    assert row["lag_seconds"] == pytest.approx(time.time() - made, abs=10)
    assert row["since"] == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(made))
    old = index_text(CHARTS, created="2023-05-17T08:09:10.123456789Z")
    less = index_text({"craned": ["0.9.0"], "fadvisor": ["1.0.0"]})
    with web(routes({"/origin": file(old, "text/yaml"), "/late": file(less, "text/yaml")})) as server:
        live.add("helm", "crane", origin=f"{server.url}/origin", synced="6h", late=f"{server.url}/late")
        row = live.row("check", "crane", code=1)
    assert (row["verdict"], row["since"]) == ("overdue", "2023-05-17T08:09:10Z")
    assert row["lag_seconds"] > 86400 * 365


@pytest.mark.parametrize("created", ["", "soon", "0000-00-00T00:00:00Z", "9999-12-31T23:59:59.999999999+14:00"])
def test_without_a_time_it_is_since_it_was_seen(live: Live, created: str) -> None:
    """Where the index has no usable time, or one in the future, what is remembered counts."""
    whole, less = (index_text({"craned": numbers}, created=created) for numbers in (["1.0.0", "2.0.0"], ["1.0.0"]))
    with web(routes({"/origin": file(whole, "text/yaml"), "/late": file(less, "text/yaml")})) as server:
        live.add("helm", "crane", origin=f"{server.url}/origin", synced="1h", late=f"{server.url}/late")
        assert live.row("check", "crane")["lag_seconds"] < 5
        live.shift(4000)
        row = live.row("check", "crane", code=1)
    assert (row["verdict"], 4000 <= row["lag_seconds"] < 4010) == ("overdue", True)


def test_downloads_that_go_back_to_the_origin_get_a_warning(live: Live, charts: Charts) -> None:
    """A mirror's index with the origin's addresses in it mirrors nothing: fresh, with a note that says so."""
    add(live, charts, "back", "fresh")
    rows = {row["mirror"]: row for row in live.rows("check", "crane")}
    assert {row["verdict"] for row in rows.values()} == {"fresh"}
    assert rows["back"]["details"] == [f"downloads go to the origin's host: {charts.origin.authority}"]
    assert rows["fresh"]["details"] == []
    assert "downloads go to the origin's host" in live.run("check", "crane", "-m", "back").out


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_an_index_may_be_written_in_json(live: Live, charts: Charts, form: str) -> None:
    """JSON is YAML, and some servers send it: compared with an index in YAML it is the same."""
    index = charts.index("origin")
    names = {(name, each["version"]): each["digest"] for name, all_of in index["entries"].items() for each in all_of}
    entries = {
        name: [{"version": number, "digest": digest} for (chart, number), digest in names.items() if chart == name]
        for name in index["entries"]
    }
    text = (
        json.dumps({"apiVersion": "v1", "entries": entries}) if form == "json" else yaml.safe_dump({"entries": entries})
    )
    with web(routes({"/": file(text.encode(), "application/json")})) as server:
        live.add("helm", "crane", origin=charts.url("origin"), other=f"{server.url}/charts")
        assert live.verdicts("crane") == {"other": "fresh"}
        rows = live.rows("probe", "crane", *TIMEOUT)
        assert {row["mirror"]: row["status"] for row in rows} == {"origin": "alive", "other": "alive"}


def test_repositories_are_measured(live: Live, charts: Charts) -> None:
    """`probe` asks for the index that helm would read, and a login page or a missing index is no answer."""
    with web(login_page) as portal, refused() as port, web(redirect(charts.url("origin") + "/index.yaml")) as moved:
        live.add(
            "helm",
            "crane",
            origin=charts.url("origin"),
            portal=f"{portal.url}/charts",
            nothing=charts.url("nothing"),
            dead=f"http://127.0.0.1:{port}",
            moved=f"{moved.url}/charts",
        )
        rows = {row["mirror"]: row for row in live.rows("probe", "crane", "--samples", "2", *TIMEOUT)}
        ran = live.run(
            "helm", "crane", "--fastest", "--region", "global", "-m", "portal", "-m", "nothing", "-m", "moved"
        )
        assert ran.out == f"{moved.url}/charts\n"
    causes = {name: row["cause"] for name, row in rows.items()}
    assert causes == {"origin": None, "moved": None, "portal": "login page", "nothing": "404", "dead": "refused"}
    for name in ("origin", "moved"):
        assert len(rows[name]["samples_ms"]) == 2
        assert rows[name]["connect_ms"] > 0


def test_the_fastest_can_be_added_by_helm(live: Live, charts: Charts) -> None:
    """What `helm NAME --fastest` prints is a repository for helm."""
    with refused() as port:
        live.add("helm", "crane", origin=f"http://127.0.0.1:{port}/charts", fresh=charts.url("fresh"))
        found = live.run("helm", "crane", "--fastest").out.strip()
    helm(live.folder, "repo", "add", "crane", found)
    assert "crane/craned" in helm(live.folder, "search", "repo", "crane")


def test_a_chart_is_asked_for_by_its_archive(live: Live, charts: Charts) -> None:
    """`resolve --fastest` of an archive's address takes the mirror that has this version."""
    add(live, charts, "late", "fresh")
    ran = live.run("resolve", f"{charts.url('origin')}/craned-0.10.0.tgz", "--fastest", "-m", "late", "-m", "fresh")
    assert ran.out == f"{charts.url('fresh')}/craned-0.10.0.tgz\n"


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_an_index_of_twenty_megabytes(live: Live, form: str) -> None:
    """Both are read whole and compared, with bounded memory, and the one version that differs is found."""
    numbers = versions(45_000 if form == "yaml" else 84_000)
    whole, less = (index_text({"craned": each}, form=form) for each in (numbers, numbers[1:]))
    assert len(whole) > 20_000_000
    with web(file(whole, "text/yaml")) as origin, web(file(less, "text/yaml")) as late:
        live.add("helm", "crane", origin=f"{origin.url}/charts", late=f"{late.url}/charts")
        ran, memory = measured(
            "check", "crane", "--timeout", "60", "--catalogue", str(live.catalogue), "--output", "json"
        )
    (row,) = rows_of(ran.out, "check")
    assert (ran.code, row["verdict"], row["details"]) == (1, "overdue", ["craned 1.0.0 is missing"])
    # This JSON has nothing but what is compared, so twice as many versions as the YAML of the same size.
    assert memory < (150 if form == "yaml" else 250)


def test_a_large_index_is_not_fetched_to_measure(live: Live) -> None:
    """`probe` reads the beginning only, also where a server knows no ranges."""
    whole = index_text({"craned": versions(42_000)})
    with web(file(whole, "text/yaml")) as ranged, web(file(whole, "text/yaml", ranges=False)) as deaf:
        live.add("helm", "crane", origin=f"{ranged.url}/a", deaf=f"{deaf.url}/a")
        rows = live.rows("probe", "crane", *TIMEOUT)
    assert {row["status"] for row in rows} == {"alive"}
    assert all("range" in request.headers for request in (*ranged.requests, *deaf.requests) if request.method == "GET")


def test_an_oci_registry_has_no_index(live: Live, tmp_path: Path) -> None:
    """A repository in a registry can be measured, and freshness is not known of it."""
    with registry(tmp_path / "registry") as server:
        server.push("charts/craned", "0.9.0", make_image("chart"))
        live.add("helm", "crane", origin=f"oci://{server.authority}/charts", copy=f"oci://{server.authority}/copy")
        assert {row["status"] for row in live.rows("probe", "crane")} == {"alive"}
        row = live.row("check", "crane", code=4)
    assert row["cause"] == "an OCI registry has no index"


def test_one_host_for_origin_and_mirror_is_no_way_back(live: Live) -> None:
    """A server that has both copies sends nobody elsewhere."""
    index = file(index_text({"a": ["1.0.0"]}), "text/yaml")
    with web(routes({"/origin": index, "/mirror": index})) as server:
        live.add("helm", "crane", origin=f"{server.url}/origin", near=f"{server.url}/mirror")
        assert live.row("check", "crane")["details"] == []


def test_registry_cannot_be_compared(live: Live, charts: Charts) -> None:
    """A mirror in an OCI registry has no index: what it is worth is not known, but nothing speaks against it."""
    live.add("helm", "crane", origin=charts.url("origin"), oci=f"oci://{charts.origin.authority}/charts")
    row = live.row("check", "crane", code=4)
    assert (row["verdict"], row["cause"]) == ("unknown", "an OCI registry has no index")
