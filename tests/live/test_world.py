"""The built-in catalogue unchanged, with every public host name on loopback: what is wrong with which copy is told.

servers/world.py says what that is: some mirrors are stale, some tampered with, one is dead, one shows a login page.
"""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import PROJECT, Ran
from live.asking import TIMEOUT, program, rows_of, samples_of
from servers.images import make_image
from servers.listener import syn_hole
from servers.names import Backend
from servers.proxy import proxy
from servers.tokens import BASIC, PASSWORD, USER
from servers.web import after, status
from servers.world import DOCKER_HUB, World, world

VERDICTS = {
    ("image", "fresh"): ("fresh", None),
    ("image", "stale"): ("overdue", "tag main is"),
    ("image", "tampered"): ("diverged", "tag main is"),
    ("image", "missing"): ("missing", "404"),
    ("helm", "fresh"): ("fresh", None),
    ("helm", "stale"): ("overdue", "0.11.0 is missing"),
    ("helm", "login page"): ("unreachable", "login page"),
    ("git", "fresh"): ("fresh", None),
    ("git", "stale"): ("lagging", "refs/tags/v0.3.0 is missing"),
    ("git", "tampered"): ("diverged", "refs/tags/v0.3.0 is at"),
    ("git", "dead"): ("unreachable", "refused"),
}
NEW = make_image("craned").digest


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("world")) as found:
        yield found


@pytest.fixture
def state(tmp_path: Path) -> Mapping[str, str]:
    """Give an environment in which nothing is remembered yet, in CI or not."""
    return {"XDG_STATE_HOME": str(tmp_path / "state"), "CI": "", "DOCKER_CONFIG": str(tmp_path / "docker")}


@pytest.fixture
def ask(hosts: World, state: Mapping[str, str]) -> Any:
    """Give a function that runs the program where the names are, and its exit code must be as expected."""

    def ask(*arguments: str, code: int = 0, environment: Mapping[str, str] | None = None) -> Ran:
        known = {**hosts.names.environment, **state, **(environment or {})}
        ran = program(*arguments, "--no-project", wrap=hosts.names.command(), environment=known)
        assert ran.code == code, ran
        return ran

    return ask


@contextmanager
def changed(hosts: World, table: Mapping[str, Backend]) -> Iterator[None]:
    """Put other servers behind some names for a while."""
    before = dict(hosts.names.backends)
    try:
        for name, backend in table.items():
            hosts.names.change(name, backend)
        yield
    finally:
        for name in table:
            hosts.names.change(name, before[name])


def test_every_copy_has_its_verdict(hosts: World, ask: Any) -> None:
    """`check` finds all that is wrong with the world, and nothing that is not, and exits with 1."""
    rows = rows_of(ask("check", "--output", "json", *TIMEOUT, code=1).out, "check")
    wrong = {}
    for row in rows:
        copy = hosts.state(row["kind"], row["name"], row["mirror"])
        verdict, cause = VERDICTS[row["kind"], copy]
        if row["verdict"] != verdict or (cause or "") not in (row["cause"] or ""):
            wrong[row["kind"], row["name"], row["mirror"]] = (copy, row["verdict"], row["cause"])
    assert not wrong
    asked = {(row["kind"], row["name"], row["mirror"]) for row in rows}
    assert asked == {key for key in hosts.hosts if key[2] != "origin"}
    promised = {row["kind"]: row["promised"] for row in rows}
    assert promised == {"image": None, "helm": "6h", "git": "1d"}


def test_every_host_is_measured(hosts: World, ask: Any) -> None:
    """`probe` of everything: who serves is alive whatever he serves, and the dead one and the login page are not."""
    ran = ask("probe", "--output", "json", "--samples", "1", *TIMEOUT)
    rows = rows_of(ran.out, "probe")
    for row in rows:
        copy = hosts.state(row["kind"], row["name"], "origin" if row["origin"] else row["mirror"])
        cause = {"dead": "refused", "login page": "login page"}.get(copy)
        assert (row["status"], row["cause"]) == ("failed" if cause else "alive", cause), row
        if not cause:
            assert min(row["tcp_ms"], row["tls_ms"], row["connect_ms"], row["median_ms"]) > 0
    times = [row["median_ms"] for row in rows]
    measured = [time for time in times if time is not None]
    assert times == [*sorted(measured), *[None] * (len(times) - len(measured))]
    assert len(rows) == len(hosts.hosts)
    assert ran.err == ""


def test_a_named_image_is_measured_by_its_manifest(hosts: World, ask: Any) -> None:
    """With a name, a registry that lives and has no such image is a failure; Docker Hub wants a token first."""
    rows = {
        row["mirror"]: row for row in rows_of(ask("probe", "fadvisor", "--kind", "image", "-o", "json").out, "probe")
    }
    assert {name: row["cause"] for name, row in rows.items()} == {"dockerhub": None, "ghcr": None, "coding": "404"}
    assert rows["dockerhub"]["connect_ms"] > 0
    assert any(asked.host == "auth.docker.io" for asked in hosts.names.asked)


def test_the_fastest_is_one_that_answers_rightly(hosts: World, ask: Any) -> None:
    """A login page is quick, and does not win; of two that work, the quicker one does."""
    assert ask("helm", "grafana", "--fastest").out == "https://grafana.github.io/helm-charts\n"
    assert ask("git", "crane", "--fastest", "--mirror", "gitee", code=4).out == ""
    slow = {}
    for name in (DOCKER_HUB, "finops-docker.pkg.coding.net"):
        backend = hosts.names.backends[name]
        assert callable(backend)
        slow[name] = after(2, backend)
    with changed(hosts, slow):
        assert ask("image", "craned", "--fastest", *TIMEOUT).out == "docker pull ghcr.io/gocrane/crane/craned:main\n"


def test_a_pinned_reference_is_on_a_mirror_that_has_it(ask: Any) -> None:
    """The origin says the digest; whoever is stale, tampered with or lacks it is passed over, and named."""
    coding = "finops-docker.pkg.coding.net/gocrane/crane"
    ran = ask("image", "craned", "--pin")
    assert ran.out == f"docker pull {coding}/craned@{NEW}\n"
    assert f"ghcr does not have {NEW}" in ran.err
    assert ask("image", "craned", "--pin", "-m", "ghcr", code=1).out == ""
    for name in ("crane-agent", "fadvisor"):
        ran = ask("image", name, "--pin", "--print", "reference")
        assert ran.out == f"ghcr.io/gocrane/crane/{name}@{make_image(name).digest}\n"
        assert "coding does not have" in ran.err


def test_the_login_at_docker_hub(hosts: World, ask: Any, state: Mapping[str, str]) -> None:
    """`docker login` keeps it under an address of its own; the token server gets it, and no other host does."""
    folder = Path(state["DOCKER_CONFIG"])
    folder.mkdir()
    account = {"auth": BASIC.partition(" ")[2]}
    (folder / "config.json").write_text(json.dumps({"auths": {"https://index.docker.io/v1/": account}}), "utf-8")
    before = len(hosts.names.requests)
    ask("check", "metric-adapter", "--auth")
    requests = hosts.names.requests[before:]
    assert {name for name, request in requests if request.headers.get("authorization") == BASIC} == {"auth.docker.io"}
    assert {name for name, request in requests if "authorization" in request.headers} == {"auth.docker.io", DOCKER_HUB}


def test_a_table_for_people(ask: Any) -> None:
    """One line for each copy, with verdict and cause; what was not measured stands at the end, apart."""
    lines = ask("check", "crane-agent", "craned", "--output", "table", code=1).out.splitlines()
    assert lines[0].split()[:4] == ["KIND", "NAME", "MIRROR", "VERDICT"]
    found = {tuple(line.split()[1:4]) for line in lines[1:] if line.strip()}
    assert {("crane-agent", "coding", "overdue"), ("craned", "ghcr", "diverged")} <= found
    lines = ask("probe", "grafana", "--output", "table").out.splitlines()
    assert lines[-1].split()[:3] == ["helm", "grafana", "coding"]
    assert lines[-1].rstrip().endswith("login page")
    assert not lines[-2].strip()


def test_gauges_for_monitoring(hosts: World, ask: Any) -> None:
    """Prometheus gets a sample for every copy, and nothing but gauges."""
    found = samples_of(ask("check", "--output", "prometheus", *TIMEOUT, code=1).out)
    for (kind, name, mirror), value in found["crane_mirrors_up"].items():
        assert value == (hosts.state(kind, name, mirror) not in ("dead", "login page")), (kind, name, mirror)
    for (kind, name, mirror), value in found["crane_mirrors_fresh"].items():
        assert value == (hosts.state(kind, name, mirror) == "fresh"), (kind, name, mirror)
    assert len(found["crane_mirrors_up"]) == len([key for key in hosts.hosts if key[2] != "origin"])
    assert found["crane_mirrors_lag_seconds"]["helm", "prometheus-community", "coding"] > 86400


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["metric-adapter"], 0),
        (["crane-agent"], 1),
        (["api"], 0),  # lagging, within the day that is promised
        (["api", "--fail-on", "lagging"], 1),
        (["grafana"], 4),
        (["crane", "--kind", "git", "-m", "gitee"], 4),
        (["crane", "--kind", "git"], 0),
        (["crane", "--kind", "git", "--fail-on", "unreachable"], 1),
        (["--raw", "crane", "main", "integration/grafana/override_values.yaml"], 0),
        (["--raw", "api", "main", "integration/grafana/override_values.yaml"], 0),
        (["--raw", "api", "v0.3.0", "integration/grafana/override_values.yaml"], 1),
        (["nginx"], 3),
    ],
)
def test_exit_codes(ask: Any, arguments: list[str], code: int) -> None:
    """0 fresh or within the promise, 1 for verdicts that count, 3 unknown names, 4 nobody could be asked."""
    ask("check", *arguments, code=code)


def test_without_any_network(hosts: World, state: Mapping[str, str], tmp_path: Path) -> None:
    """Where no name is known at all, each cause says so, and the exit code is 4."""
    wrap = ["unshare", "--net", *with_hosts(hosts, tmp_path, {})]

    def ask(*arguments: str, code: int) -> Ran:
        ran = program(*arguments, "--no-project", wrap=wrap, environment={**hosts.names.environment, **state})
        assert ran.code == code, ran
        return ran

    rows = rows_of(ask("check", "craned", "-o", "json", code=4).out, "check")
    assert {row["cause"].partition(":")[0] for row in rows} == {"dns"}
    ask("image", "craned", "--pin", code=4)
    ran = ask("image", "craned", "--fastest", code=4)
    assert (ran.out, ran.err.count("dns: ")) == ("", 3)
    ran = ask("image", "craned", "--fastest", "--offline-ok", "--tag", "main-abc123", code=0)
    assert ran.out == "docker pull finops-docker.pkg.coding.net/gocrane/crane/craned:main-abc123\n"


def with_hosts(hosts: World, folder: Path, addresses: Mapping[str, str]) -> list[str]:
    """Wrap a command so that it finds the names at these addresses, while others still find the servers."""
    file = folder / "other-hosts"
    file.write_text("".join(f"{address} {name}\n" for name, address in addresses.items()), encoding="ascii")
    known = str(hosts.names.folder / "hosts")
    return [str(file) if word == known else word for word in hosts.names.command()]


@pytest.mark.parametrize("address", ["::1", "2001:db8::1"])
def test_a_dead_address_does_not_hide_a_live_one(hosts: World, ask: Any, address: str) -> None:
    """A name whose IPv6 address never answers, or cannot be reached, is served by its IPv4 address in time."""
    hosts.names.extra_hosts.append(f"{address} ghcr.io")
    try:
        with syn_hole("::1", 443):
            row = json.loads(ask("probe", "craned", "-m", "ghcr", "-o", "json", "--samples", "1").out)["rows"][0]
            assert row["status"] == "alive"
            assert row["connect_ms"] < 2500
            ask("check", "metric-adapter", "-m", "ghcr")
    finally:
        hosts.names.extra_hosts.clear()


def test_a_refusing_address_does_not_hide_a_live_one(hosts: World, ask: Any) -> None:
    """The same where nobody listens on the IPv6 address."""
    hosts.names.extra_hosts.append("::1 ghcr.io")
    try:
        ask("check", "metric-adapter", "-m", "ghcr")
    finally:
        hosts.names.extra_hosts.clear()


@pytest.mark.parametrize("password", [True, False])
def test_a_proxy_of_the_environment_is_used(
    hosts: World, state: Mapping[str, str], tmp_path: Path, password: bool
) -> None:
    """All goes through the proxy, which alone knows the names; without its password each cause is 407."""
    with proxy(tmp_path / "proxy", password=password, wrap=hosts.names.command()) as server:
        environment = {**hosts.names.environment, **state, "HTTPS_PROXY": server.url, "HTTP_PROXY": server.url}
        wrap = with_hosts(hosts, tmp_path, dict.fromkeys(hosts.names.addresses, "127.0.78.1"))  # where nobody listens
        ran = program("check", "craned", "-o", "json", "--no-project", *TIMEOUT, wrap=wrap, environment=environment)
        assert {row["mirror"]: row["verdict"] for row in rows_of(ran.out, "check")} == {
            "coding": "fresh",
            "ghcr": "diverged",
        }
        ran = program("image", "craned", "--pin", "-p", "reference", "--no-project", wrap=wrap, environment=environment)
        assert ran.out == f"finops-docker.pkg.coding.net/gocrane/crane/craned@{NEW}\n"
        assert f"CONNECT {DOCKER_HUB}:443" in server.asked
        assert "CONNECT auth.docker.io:443" in server.asked
        past = {**environment, "NO_PROXY": "ghcr.io"}
        ran = program("probe", "craned", "-m", "ghcr", "-o", "json", "--no-project", wrap=wrap, environment=past)
        assert (ran.code, rows_of(ran.out, "probe")[0]["cause"].partition(":")[0]) == (4, "refused")
        if password:
            bare = environment | {"HTTPS_PROXY": server.bare_url, "HTTP_PROXY": server.bare_url}
            ran = program("check", "craned", "-o", "json", "--no-project", wrap=wrap, environment=bare)
            assert ran.code == 4
            assert {row["cause"] for row in rows_of(ran.out, "check")} == {"proxy: 407"}
            wrong = server.url.replace(PASSWORD, "wrong-staple")
            ran = program(
                "probe",
                "craned",
                "-o",
                "json",
                "--no-project",
                wrap=wrap,
                environment=environment | {"HTTPS_PROXY": wrong},
            )
            assert ran.code == 4
            assert {row["cause"] for row in rows_of(ran.out, "probe")} <= {"proxy: 401", "proxy: 407"}
            assert not any(secret in ran.out + ran.err for secret in ("wrong-staple", f"{USER}:"))


def test_names_that_mean_the_same_are_asked_about_once(ask: Any) -> None:
    """A name, its alias and a reference are one thing, so that no row, and no sample, comes twice."""
    ran = ask("check", "gocrane", "crane", "--kind", "helm", "-o", "prometheus")
    assert list(samples_of(ran.out)["crane_mirrors_up"]) == [("helm", "gocrane", "coding")]
    rows = rows_of(ask("check", "craned", "craned:main", "docker.io/gocrane/craned", "-o", "json", code=1).out, "check")
    assert [row["mirror"] for row in rows] == ["coding", "ghcr"]
    for command in ("check", "probe"):
        assert "give a tag" in ask(command, f"craned@{NEW}", code=2).err


def test_what_nobody_has(ask: Any) -> None:
    """A tag that the origin does not have either is missing, and the cause says whose fault it is."""
    assert ask("check", "craned:no-such", "-m", "ghcr", code=1).out.endswith("404, and the origin has none either\n")
    ran = ask("check", "crane", "--ref", "no-such", "--kind", "git", "-m", "coding", code=1)
    assert ran.out.endswith("missing no ref no-such, and the origin has none either\n")


def test_a_server_that_comes_back(hosts: World, ask: Any) -> None:
    """What was down for one run is fresh in the next: no failure is remembered."""
    with changed(hosts, {"ghcr.io": status(503)}):
        row = rows_of(ask("check", "metric-adapter", "-m", "ghcr", "-o", "json", code=4).out, "check")[0]
        assert (row["verdict"], row["cause"]) == ("unreachable", "503")
    ask("check", "metric-adapter", "-m", "ghcr")


def test_progress_is_for_terminals(hosts: World, state: Mapping[str, str]) -> None:
    """On a terminal stderr shows how far it is, and stdout has the data alone."""
    main, terminal = pty.openpty()
    command = hosts.names.command(sys.executable, "-P", "-m", "crane_mirrors", "probe", "crane", "-o", "json")
    environment = {
        **os.environ,
        **hosts.names.environment,
        **state,
        "TERM": "xterm",
        "PYTHONPATH": str(PROJECT / "src"),
    }
    process = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=terminal, timeout=60, check=False)
    os.close(terminal)
    shown = b""
    try:
        while chunk := os.read(main, 65536):
            shown += chunk
    except OSError:  # the other end is closed
        pass
    os.close(main)
    assert b"probing" in shown
    assert len(rows_of(process.stdout.decode(), "probe")) > 2
