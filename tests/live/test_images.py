"""Images on real registries: what `probe`, `check`, `--fastest` and `--pin` say of them."""

from __future__ import annotations

import base64
import json
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import CLI, PROJECT, need
from live.asking import TIMEOUT, Live, program, rows_of, samples_of
from servers.images import FORMS, Image, make_image
from servers.listener import listening, refused
from servers.names import public_names
from servers.nginx import busy_front
from servers.registry import Registry, registry
from servers.tls import Authority, make_authority
from servers.tokens import BASIC, PASSWORD, USER, Tokens, token_server
from servers.web import Request, Responder, Response, after, forward, login_page, status, web

PATH = "gocrane/craned"
NEW, OLD, OTHER = make_image("new"), make_image("old"), make_image("tampered")
BUILD = "main-abc1234"


@dataclass(frozen=True, slots=True)
class Registries:
    """Registries of all forms, with the same image in each."""

    origin: Registry
    plain: Registry
    tls: Registry
    token: Registry
    password: Registry
    cache: Registry
    tokens: Tokens
    authority: Authority
    dead: str

    def all(self) -> dict[str, Registry]:
        return {name: getattr(self, name) for name in ("plain", "tls", "token", "password", "cache")}

    def places(self, *names: str) -> dict[str, str]:
        return {name: f"{server.authority}/{PATH}" for name, server in self.all().items() if not names or name in names}


@pytest.fixture(scope="module")
def registries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registries]:
    folder = tmp_path_factory.mktemp("registries")
    with ExitStack() as stack:
        authority = make_authority(folder / "authority")
        tokens = stack.enter_context(token_server(folder / "tokens"))
        certificate = authority.good("127.0.0.1")

        def start(name: str, **options: Any) -> Registry:
            return stack.enter_context(registry(folder / name, **options))

        origin = start("origin")
        for tag, image in {"main": NEW, "old": OLD, BUILD: NEW}.items():
            origin.push(PATH, tag, image)
        for form in FORMS:
            origin.push(PATH, form.replace(" ", "-"), make_image("form", form))
        with ExitStack() as upstream:
            source = upstream.enter_context(registry(folder / "upstream"))
            source.push(PATH, "main", NEW)
            cache = start("cache", upstream=source)
            skopeo("inspect", "--raw", f"docker://{cache.authority}/{PATH}:main")
        servers = Registries(
            origin,
            start("plain"),
            start("tls", certificate=certificate),
            start("token", tokens=tokens),
            start("password", password=True),
            cache,
            tokens,
            authority,
            f"127.0.0.1:{stack.enter_context(refused())}",
        )
        for name, server in servers.all().items():
            if name != "cache":
                server.push(PATH, "main", NEW)
        yield servers


@pytest.fixture
def images(live: Live, registries: Registries, monkeypatch: pytest.MonkeyPatch) -> Live:
    """Give a catalogue with one image on every registry, all of whose certificates are trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(registries.authority.file))
    live.add("image", "craned", origin=f"{registries.origin.authority}/{PATH}", **registries.places())
    return live


def skopeo(*arguments: str) -> bytes:
    command = [need("skopeo"), arguments[0], "--tls-verify=false", *arguments[1:]]
    process = subprocess.run(command, capture_output=True, check=False)
    assert process.returncode == 0, process.stderr
    return process.stdout


def skopeo_digest(reference: str) -> str:
    return skopeo("inspect", "--no-tags", "--format", "{{.Digest}}", f"docker://{reference}").decode().strip()


def log_in(live: Live, config: dict[str, Any]) -> None:
    folder = live.folder / "docker"
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


def auth(user: str = USER, password: str = PASSWORD) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


# Registries of every form


def test_every_form_of_registry_is_compared(images: Live) -> None:
    """Plain, TLS, token and a cache whose upstream is down are fresh; the one with a password says what it wants."""
    rows = {row["mirror"]: row for row in images.rows("check", "craned", *TIMEOUT)}
    password = rows.pop("password")
    assert {name: row["verdict"] for name, row in rows.items()} == dict.fromkeys(rows, "fresh")
    assert set(rows) == {"plain", "tls", "token", "cache"}
    assert (password["verdict"], password["cause"]) == ("unreachable", "401, credentials needed")


def test_every_form_of_registry_is_measured(images: Live) -> None:
    """A named image is asked for by its manifest, over the connection that a client would make."""
    rows = {row["mirror"]: row for row in images.rows("probe", "craned", *TIMEOUT)}
    assert {name: row["status"] for name, row in rows.items() if row["status"] != "alive"} == {"password": "failed"}
    assert rows["password"]["cause"] == "401, credentials needed"
    for name, row in rows.items():
        if name == "password":
            assert row["median_ms"] is row["min_ms"] is row["spread_ms"] is None
            continue
        assert (len(row["samples_ms"]), row["http_status"]) == (3, 200)
        assert min(row["samples_ms"]) <= row["median_ms"] <= max(row["samples_ms"])
        assert row["connect_ms"] >= row["tcp_ms"] > 0
        assert (row["tls_ms"] is not None) == (name == "tls")


def test_without_a_name_each_registry_is_asked_once(images: Live, registries: Registries) -> None:
    """`probe` of all images asks `/v2/`, where a registry that wants a password is as alive as any."""
    images.add(
        "image", "agent", origin=f"{registries.origin.authority}/x/agent", plain=f"{registries.plain.authority}/x/agent"
    )
    before = len(registries.plain.requests)
    rows = images.rows("probe", "--samples", "1", *TIMEOUT)
    assert {row["status"] for row in rows} == {"alive"}
    assert len(rows) == 8
    asked = registries.plain.requests[before:]
    assert [(request.method, request.path) for request in asked] == [("GET", "/v2/")] * 2
    (password,) = [row for row in rows if row["mirror"] == "password"]
    assert password["http_status"] == 401


def test_certificates_are_those_of_the_environment(images: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without SSL_CERT_FILE the test's authority is nobody's, and that is the cause."""
    monkeypatch.delenv("SSL_CERT_FILE")
    row = images.row("check", "craned", "--mirror", "tls", code=4)
    assert (row["verdict"], row["cause"]) == ("unreachable", "tls: untrusted certificate")
    assert images.row("probe", "craned", "--mirror", "tls", code=4)["cause"] == "tls: untrusted certificate"


@pytest.mark.parametrize("form", FORMS)
def test_digests_are_those_that_skopeo_gives(images: Live, registries: Registries, form: str) -> None:
    """All four types of manifests are pinned to the digest that another client finds."""
    tag = form.replace(" ", "-")
    reference = images.run("image", "craned", "--tag", tag, "--pin", "--print", "reference").out.strip()
    assert reference.rpartition("@")[2] == skopeo_digest(f"{registries.origin.authority}/{PATH}:{tag}")


@pytest.mark.parametrize("form", FORMS)
def test_a_registry_may_keep_the_digest_to_itself(images: Live, registries: Registries, form: str) -> None:
    """Where `Docker-Content-Digest` is missing, the manifest's own bytes are hashed."""
    tag = form.replace(" ", "-")
    with web(without_digests(forward(registries.origin.authority))) as shy:
        images.add("image", "craned", origin=f"{registries.origin.authority}/{PATH}", shy=f"{shy.authority}/{PATH}")
        assert images.verdicts("craned", "--tag", tag) == {"shy": "fresh"}
        found = images.run("image", "craned", "--tag", tag, "--pin", "--trust", "shy", "-m", "shy", "-p", "reference")
        digest = skopeo_digest(f"{registries.origin.authority}/{PATH}:{tag}")
        assert found.out.strip() == f"{shy.authority}/{PATH}@{digest}"


def without_digests(respond: Responder) -> Responder:
    def answer(request: Request) -> Response:
        response = respond(request)
        kept = {name: value for name, value in response.headers.items() if name.lower() != "docker-content-digest"}
        return Response(response.status, kept, response.body)

    return answer


# Who may ask


def test_an_anonymous_token_is_fetched_for_one_repository(images: Live, registries: Registries) -> None:
    """The token is asked for with the registry's service and the narrowest scope, and without a login."""
    registries.tokens.requests.clear()
    assert images.verdicts("craned", "--mirror", "token") == {"token": "fresh"}
    (request,) = registries.tokens.requests
    assert request.path == "/token?scope=repository%3Agocrane%2Fcraned%3Apull&service=test-registry"
    assert "authorization" not in request.headers


def test_a_token_is_fetched_with_a_login(images: Live, registries: Registries) -> None:
    """With `--auth` the token server sees the login of the registry, which itself never does."""
    log_in(images, {"auths": {registries.token.authority: auth()}})
    registries.tokens.requests.clear()
    assert images.verdicts("craned", "--mirror", "token", "--auth") == {"token": "fresh"}
    assert [request.headers["authorization"] for request in registries.tokens.requests] == [BASIC]


def test_a_wrong_password_is_the_cause(images: Live, registries: Registries) -> None:
    """A token server or registry that refuses the login is named so, and the password shown nowhere."""
    wrong = auth(password="wrong-staple")
    log_in(images, {"auths": {registries.token.authority: wrong, registries.password.authority: wrong}})
    ran = images.run("check", "craned", "-m", "token", "-m", "password", "--auth", "-o", "json", code=4)
    causes = {row["mirror"]: row["cause"] for row in json.loads(ran.out)["rows"]}
    assert causes == {"token": "token: 401", "password": "401"}
    assert not re.search(f"wrong-staple|{wrong['auth']}", ran.out + ran.err)


@pytest.mark.parametrize("way", ["auths", "credHelpers", "credsStore"])
def test_logins_of_docker_are_used(
    images: Live, registries: Registries, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--auth` reads what `docker login` wrote, or asks the credential helper that it names."""
    host = registries.password.authority
    if way == "auths":
        log_in(images, {"auths": {host: auth()}})
    else:
        helper(images, monkeypatch)
        log_in(images, {way: {host: "test"} if way == "credHelpers" else "test"})
    assert images.verdicts("craned", "--mirror", "password", "--auth") == {"password": "fresh"}
    if way != "auths":
        assert (images.folder / "asked").read_text(encoding="utf-8").split() == ["get", host]
    pinned = images.run("image", "craned", "--pin", "--auth", "-m", "password", "-p", "reference", "--max-age", "0s")
    assert pinned.out.strip() == f"{host}/{PATH}@{NEW.digest}"


def helper(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a credential helper on the PATH, which writes down what it is asked."""
    script = live.folder / "bin" / "docker-credential-test"
    script.parent.mkdir()
    answer = json.dumps({"ServerURL": "", "Username": USER, "Secret": PASSWORD})
    asked = live.folder / "asked"
    script.write_text(
        f'#!/bin/sh\nhost=$(cat)\nprintf "%s %s\\n" "$1" "$host" > "{asked}.new"\n'
        f'case $host in {live_host(live)}) mv "{asked}.new" "{asked}"; echo \'{answer}\';;'
        ' *) echo "credentials not found in native keychain"; exit 1;; esac\n',
        encoding="utf-8",
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(script.parent), prepend=":")


def live_host(live: Live) -> str:
    place: str = live.entries["images"]["craned"]["mirrors"]["password"]
    return place.partition("/")[0]


def test_a_redirect_to_another_host_goes_without_the_password(images: Live, registries: Registries) -> None:
    """A registry may send its clients to another server, which sees neither login nor token of the first."""
    image = NEW.top

    def elsewhere(_: Request) -> Response:
        headers = {"Content-Type": image.media_type, "Docker-Content-Digest": image.digest}
        return Response(200, headers, image.content)

    with web(elsewhere) as other:

        def first(request: Request) -> Response:
            if request.headers.get("authorization") != BASIC:
                return Response(401, {"WWW-Authenticate": 'Basic realm="test"'})
            return Response(307, {"Location": f"http://localhost:{other.listener.port}{request.path}"})

        with web(first) as moved:
            log_in(images, {"auths": {moved.authority: auth()}})
            images.add(
                "image", "craned", origin=f"{registries.origin.authority}/{PATH}", moved=moved.authority + "/x/y"
            )
            assert images.verdicts("craned", "--auth") == {"moved": "fresh"}
        assert other.requests
        assert not [request for request in other.requests if "authorization" in request.headers]
        assert any(request.headers.get("authorization") == BASIC for request in moved.requests)


def test_plain_http_is_for_this_machine_alone(live: Live, registries: Registries) -> None:
    """A registry under a public name is never asked without TLS, though the name be one of this machine."""
    host = f"registry.example:{registries.origin.authority.rpartition(':')[2]}"
    live.add("image", "craned", origin=f"{registries.origin.authority}/{PATH}", named=f"{host}/{PATH}")
    with public_names(live.folder / "names", {}) as names:
        names.extra_hosts.append("127.0.0.1 registry.example")
        before = len(registries.origin.requests)
        ran = program("check", "craned", "--catalogue", str(live.catalogue), "--output", "json", wrap=names.command())
        assert ran.code == 4
        (row,) = json.loads(ran.out)["rows"]
        assert row["cause"] == "tls: handshake failed"
        asked = registries.origin.requests[before:]
        assert {request.host for request in asked} == {registries.origin.authority}


# Verdicts


@pytest.fixture(scope="module")
def copies(registries: Registries) -> dict[str, str]:
    """Put copies in all states on one registry: the name of a mirror says its state."""
    states: dict[str, Image] = {"fresh": NEW, "stale": OLD, "tampered": OTHER}
    for name, image in states.items():
        for tag in ("main", BUILD):
            registries.plain.push(f"copies/{name}", tag, image)
    host = registries.plain.authority
    return {name: f"{host}/copies/{name}" for name in (*states, "missing")} | {"dead": f"{registries.dead}/x"}


@pytest.fixture
def judged(live: Live, registries: Registries, copies: dict[str, str]) -> Live:
    live.add("image", "craned", origin=f"{registries.origin.authority}/{PATH}", **copies)
    return live


def test_each_state_has_its_verdict(judged: Live, registries: Registries) -> None:
    """Stale is behind, what the origin never had is diverged, and who does not answer is unreachable."""
    rows = {row["mirror"]: row for row in judged.rows("check", "craned", code=1)}
    assert {name: row["verdict"] for name, row in rows.items()} == {
        "fresh": "fresh",
        "stale": "overdue",
        "tampered": "diverged",
        "missing": "missing",
        "dead": "unreachable",
    }
    assert [rows[name]["cause"] for name in ("fresh", "missing", "dead")] == [None, "404", "refused"]
    assert rows["stale"]["details"] == [f"tag main is {OLD.digest}, at the origin {NEW.digest}"]
    assert rows["tampered"]["details"] == [
        f"tag main is {OTHER.digest}, at the origin {NEW.digest}; the origin has no {OTHER.digest}"
    ]
    digests = [skopeo_digest(f"{registries.plain.authority}/copies/{name}:main") for name in ("stale", "tampered")]
    assert digests == [OLD.digest, OTHER.digest]


def test_other_bytes_under_the_tag_of_a_build_are_never_just_late(judged: Live) -> None:
    """A commit's tag does not move, so what is stale under `main` is diverged there."""
    assert judged.verdicts("craned:" + BUILD, "-m", "stale", "-m", "fresh", code=1) == {
        "stale": "diverged",
        "fresh": "fresh",
    }


def test_an_origin_that_does_not_answer_makes_everything_unknown(
    live: Live, registries: Registries, copies: dict[str, str]
) -> None:
    """Nothing is said of copies when there is nothing to compare them with; a dead mirror is dead all the same."""
    live.add("image", "craned", origin=f"{registries.dead}/{PATH}", stale=copies["stale"], dead=copies["dead"])
    rows = {row["mirror"]: row for row in live.rows("check", "craned", code=4)}
    assert {name: (row["verdict"], row["cause"]) for name, row in rows.items()} == {
        "stale": ("unknown", "origin: refused"),
        "dead": ("unreachable", "refused"),
    }
    assert not live.state.exists()


def test_what_the_origin_does_not_have_diverged(live: Live, registries: Registries, copies: dict[str, str]) -> None:
    """A mirror that has a tag which the origin says it has not is not fresh."""
    live.add("image", "craned", origin=f"{registries.origin.authority}/no/such", stale=copies["stale"])
    row = live.row("check", "craned", code=1)
    assert (row["verdict"], row["details"]) == ("diverged", ["the origin has no such thing"])


@pytest.mark.parametrize(
    ("mirrors", "arguments", "code"),
    [
        (["fresh"], [], 0),
        (["stale"], [], 1),
        (["tampered"], [], 1),
        (["missing"], [], 1),
        (["fresh", "dead"], [], 0),
        (["dead"], [], 4),
        (["dead"], ["--fail-on", "unreachable"], 4),
        (["fresh", "dead"], ["--fail-on", "unreachable"], 1),
        (["stale"], ["--fail-on", "none"], 0),
        (["stale"], ["--fail-on", "diverged, missing"], 0),
        (["tampered"], ["--fail-on", "diverged, missing"], 1),
        (["fresh"], ["--fail-on", "fresh"], 1),
        (["fresh"], ["--fail-on", "stale"], 2),
    ],
)
def test_exit_codes(judged: Live, mirrors: list[str], arguments: list[str], code: int) -> None:
    """0 for fresh, 1 for what --fail-on names, 4 where nothing could be compared, 2 for a word that is no verdict."""
    chosen = [word for mirror in mirrors for word in ("--mirror", mirror)]
    judged.run("check", "craned", *chosen, *arguments, code=code)


def test_an_entry_without_a_mirror_is_no_failure_of_the_network(live: Live, registries: Registries) -> None:
    """Where there is no copy to compare, nothing is asked, and the message says why."""
    live.add("image", "craned", origin=f"{registries.origin.authority}/{PATH}")
    before = len(registries.origin.requests)
    ran = live.run("check", "craned", code=3)
    assert "craned" in ran.err
    assert "no mirror" in ran.err
    assert len(registries.origin.requests) == before


def test_one_platform_is_compared_alone(live: Live, registries: Registries) -> None:
    """With --platform an index of fewer platforms is fresh if it has that one; the digests are skopeo's."""
    raw = json.loads(skopeo("inspect", "--raw", f"docker://{registries.origin.authority}/{PATH}:main"))
    listed = {item["platform"]["architecture"]: item["digest"] for item in raw["manifests"]}
    assert listed["arm64"] == NEW.platforms["linux/arm64/v8"].digest
    alone = Image(NEW.platforms["linux/arm64/v8"], {}, NEW.blobs)
    registries.plain.push("copies/alone", "main", alone)
    place = f"{registries.plain.authority}/copies"
    live.add(
        "image",
        "craned",
        origin=f"{registries.origin.authority}/{PATH}",
        alone=f"{place}/alone",
        fresh=f"{registries.plain.authority}/{PATH}",
    )
    assert live.verdicts("craned", code=1) == {"alone": "overdue", "fresh": "fresh"}
    assert live.verdicts("craned", "--platform", "linux/arm64") == {"alone": "fresh", "fresh": "fresh"}
    pinned = live.run("image", "craned", "--pin", "--platform", "linux/arm64", "-m", "fresh", "-p", "reference")
    assert pinned.out.strip() == f"{registries.plain.authority}/{PATH}@{listed['arm64']}"
    live.shift(5000)
    live.run("check", "craned", "--platform", "linux/arm64")
    assert live.row("check", "craned", "-m", "alone", code=1)["lag_seconds"] >= 5000
    row = live.row("check", "craned", "--platform", "windows/amd64", "-m", "fresh", code=1)
    assert (row["verdict"], row["cause"]) == (
        "missing",
        "no manifest for windows/amd64, and the origin has none either",
    )


# Memory


def test_since_when_a_mirror_is_behind_is_remembered(judged: Live, registries: Registries) -> None:
    """The first run that sees it sets the time; when the copy changes it starts anew, and fresh is forgotten."""
    registries.plain.push("copies/moving", "main", OLD)
    place = f"{registries.plain.authority}/copies/moving"
    judged.add("image", "craned", origin=f"{registries.origin.authority}/{PATH}", moving=place)
    first = judged.row("check", "craned", code=1)
    assert first["lag_seconds"] < 5
    judged.shift(3600)
    second = judged.row("check", "craned", code=1)
    assert 3600 <= second["lag_seconds"] < 3610
    since = time.strptime(second["since"], "%Y-%m-%dT%H:%M:%SZ")
    first_since = time.strptime(first["since"], "%Y-%m-%dT%H:%M:%SZ")
    assert time.mktime(first_since) - time.mktime(since) == pytest.approx(3600, abs=2)
    registries.plain.push("copies/moving", "main", OTHER)
    third = judged.row("check", "craned", code=1)
    assert (third["verdict"], third["lag_seconds"] < 5) == ("diverged", True)
    assert len(judged.behind()) == 1
    registries.plain.push("copies/moving", "main", NEW)
    fourth = judged.row("check", "craned")
    assert (fourth["verdict"], fourth["lag_seconds"], fourth["since"]) == ("fresh", 0.0, None)
    assert judged.behind() == {}


def test_what_is_remembered_outlives_a_night_without_an_origin(
    live: Live, registries: Registries, copies: dict[str, str]
) -> None:
    """A mirror that could not be compared keeps the time since when it is behind."""
    day, night = forward(registries.origin.authority), status(503)
    now = [day]
    with web(lambda request: now[0](request)) as origin:
        live.add("image", "craned", origin=f"{origin.authority}/{PATH}", stale=copies["stale"])
        live.run("check", "craned", code=1)
        live.shift(7200)
        kept = live.behind()
        now[0] = night
        assert live.verdicts("craned", code=4) == {"stale": "unknown"}
        assert live.behind() == kept
        now[0] = day
        assert live.row("check", "craned", code=1)["lag_seconds"] >= 7200


def test_a_state_file_that_cannot_be_kept_is_a_note(judged: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """The verdict does not depend on whether anything can be remembered."""
    blocked = judged.folder / "blocked"
    blocked.write_text("", encoding="ascii")
    monkeypatch.setenv("XDG_STATE_HOME", str(blocked))
    ran = judged.run("check", "craned", "-m", "stale", code=1)
    assert ran.out.startswith("image craned stale overdue")
    assert "nothing is remembered" in ran.err


@pytest.mark.parametrize("content", ["", "[]", "{", '{"version": 1, "behind": 3}', '{"version": 2, "behind": {}}'])
def test_a_broken_state_file_is_no_state(judged: Live, content: str) -> None:
    """What cannot be read is written anew."""
    judged.state.parent.mkdir(parents=True)
    judged.state.write_text(content, encoding="utf-8")
    assert judged.row("check", "craned", "-m", "stale", code=1)["lag_seconds"] < 5
    assert len(judged.behind()) == 1


# Output


def test_json_has_all_that_is_known(judged: Live) -> None:
    """The fields of a row are those of the documentation, for every verdict the same."""
    rows = judged.rows("check", "craned", code=1)
    assert {tuple(row) for row in rows} == {
        (
            "kind",
            "name",
            "what",
            "mirror",
            "host",
            "verdict",
            "cause",
            "details",
            "promised",
            "lag_seconds",
            "since",
            "latency_ms",
        )
    }
    stale = next(row for row in rows if row["mirror"] == "stale")
    assert re.fullmatch(r"tag main is sha256:[0-9a-f]{12}, at the origin sha256:[0-9a-f]{12}", stale["cause"])
    assert all(row["latency_ms"] > 0 for row in rows if row["verdict"] != "unreachable")


def test_prometheus_reads_the_gauges(judged: Live) -> None:
    """Up, fresh, lag and latency are one gauge each, and what is not known has no sample."""
    ran = judged.run("check", "craned", "--output", "prometheus", code=1)
    found = samples_of(ran.out)
    names = {metric.removeprefix("crane_mirrors_"): table for metric, table in found.items()}
    by_mirror = {metric: {key[2]: value for key, value in table.items()} for metric, table in names.items()}
    assert by_mirror["up"] == {"fresh": 1, "stale": 1, "tampered": 1, "missing": 1, "dead": 0}
    assert by_mirror["fresh"] == {"fresh": 1, "stale": 0, "tampered": 0, "missing": 0}
    assert by_mirror["lag_seconds"].keys() == {"fresh", "stale", "tampered"}
    assert by_mirror["latency_seconds"]["fresh"] > 0


def test_plain_lines_have_one_mirror_each(judged: Live) -> None:
    """Kind, name, mirror and verdict are the first four words of a line, the cause what follows."""
    lines = judged.run("check", "craned", "-m", "fresh", "-m", "dead").out.splitlines()
    assert sorted(lines) == ["image craned dead unreachable refused", "image craned fresh fresh"]


# The fastest


def test_the_first_right_answer_wins(live: Live, registries: Registries) -> None:
    """Neither a quick 404 nor a quick login page wins, and nobody waits for who is slow."""
    slow = after(8, forward(registries.origin.authority))
    with web(status(404)) as gone, web(login_page) as portal, web(slow) as late:
        live.add(
            "image",
            "craned",
            origin=f"{late.authority}/{PATH}",
            gone=f"{gone.authority}/{PATH}",
            portal=f"{portal.authority}/{PATH}",
            right=f"{registries.plain.authority}/{PATH}",
            dead=f"{registries.dead}/{PATH}",
        )
        start = time.monotonic()
        ran = live.run("image", "craned", "--fastest", "--print", "reference", "--timeout", "20")
        assert time.monotonic() - start < 7
    assert ran.out == f"{registries.plain.authority}/{PATH}:main\n"


def test_every_form_of_registry_can_win(images: Live, registries: Registries) -> None:
    """Each takes part with its own way of letting people in."""
    for name in ("plain", "tls", "token", "cache"):
        place = registries.places(name)[name]
        images.add("image", "craned", origin=f"{registries.dead}/{PATH}", this=place)
        ran = images.run("image", "craned", "--fastest", "--print", "reference", "--max-age", "0s", *TIMEOUT)
        assert ran.out == f"{place}:main\n"
        assert images.run("resolve", f"{place}:main", "--fastest", "-p", "reference").out == f"{place}:main\n"


def test_when_nobody_answers_each_cause_is_told(live: Live, registries: Registries) -> None:
    """Exit 4 with all causes in one line; with --offline-ok the catalogue's order, and the same line as a warning."""
    with web(status(503)) as down, web(login_page) as portal:
        mirrors = {"down": f"{down.authority}/{PATH}", "portal": f"{portal.authority}/{PATH}"}
        live.add("image", "craned", origin=f"{registries.dead}/{PATH}", **mirrors)
        ran = live.run("image", "craned", "--fastest", code=4)
        assert ran.out == ""
        (line,) = ran.err.splitlines()
        assert all(cause in line for cause in ("down: 503", "portal: login page", ": refused"))
        ran = live.run("image", "craned", "--fastest", "--offline-ok", "--print", "reference")
    assert ran.out == live.run("image", "craned", "--print", "reference").out
    assert "down: 503" in ran.err
    assert not live.state.exists()


def test_the_winner_is_remembered_for_a_while(
    live: Live, registries: Registries, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within --max-age nobody is asked again, and the age is told; not in CI, and not with 0s."""
    live.add("image", "craned", origin=f"{registries.dead}/{PATH}", **registries.places("plain"))
    arguments = ("image", "craned", "--fastest", "--print", "reference")
    expected = live.run(*arguments).out
    before = len(registries.plain.requests)
    live.shift(300)
    again = live.run(*arguments)
    assert (again.out, len(registries.plain.requests)) == (expected, before)
    assert "plain was the fastest 5m ago" in again.err
    live.run(*arguments, "--max-age", "1m")
    assert len(registries.plain.requests) == before + 1
    live.run(*arguments, "--max-age", "0s")
    assert len(registries.plain.requests) == before + 2
    monkeypatch.setenv("CI", "true")
    live.run(*arguments)
    assert len(registries.plain.requests) == before + 3
    live.run(*arguments, "--max-age", "5m")
    assert len(registries.plain.requests) == before + 3
    live.run(*arguments, "--max-age", "soon", code=2)


def test_programs_that_run_at_once_forget_nothing(
    live: Live, registries: Registries, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each adds what it found out to what the others have written meanwhile."""
    names = ("one", "two", "three", "four")
    for name in names:
        registries.plain.push(f"crowd/{name}", "main", NEW)
        live.add("image", name, origin=f"{registries.dead}/{name}", here=f"{registries.plain.authority}/crowd/{name}")
    command = [sys.executable, "-P", "-m", "crane_mirrors", "image", "--fastest", "--catalogue", str(live.catalogue)]
    monkeypatch.setenv("PYTHONPATH", str(PROJECT / "src"))
    running = [subprocess.Popen([*command, name], stdout=subprocess.PIPE) for name in names]
    found = [process.communicate(timeout=60)[0] for process in running]
    assert found == [f"docker pull {registries.plain.authority}/crowd/{name}:main\n".encode() for name in names]
    assert len(json.loads(live.state.read_text(encoding="ascii"))["fastest"]) == len(names)


def test_nobody_has_to_wait_who_has_enough(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends the program at once, with 130 and without a word on stdout."""
    monkeypatch.setenv("PYTHONPATH", str(PROJECT / "src"))

    def listen(connection: socket.socket) -> None:
        while connection.recv(65536):
            pass

    with listening(listen) as silent:
        live.add("image", "craned", origin=f"{silent.authority}/{PATH}", mirror=f"{silent.authority}/other")
        command = [sys.executable, "-P", "-m", "crane_mirrors", "check", "craned", "--timeout", "60"]
        process = subprocess.Popen(
            [*command, "--catalogue", str(live.catalogue)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        limit = time.monotonic() + 20
        while not silent.accepted and time.monotonic() < limit:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        start = time.monotonic()
        out, err = process.communicate(timeout=20)
        assert time.monotonic() - start < 3
    assert (process.returncode, out) == (130, b"")
    assert b"Traceback" not in err


# Pinning


def test_a_pinned_reference_is_on_the_best_mirror_that_has_it(judged: Live, registries: Registries) -> None:
    """Mirrors without exactly the origin's digest are left out, and named with their verdict."""
    mirrors = [word for name in ("dead", "missing", "tampered", "stale", "fresh") for word in ("-m", name)]
    ran = judged.run("image", "craned", "--pin", *mirrors)
    fresh = f"{registries.plain.authority}/copies/fresh@{NEW.digest}"
    assert ran.out == f"docker pull {fresh}\n"
    for name, verdict in {"dead": "unreachable, refused", "missing": "missing", "tampered": "", "stale": ""}.items():
        assert f"{name} does not have {NEW.digest}: {verdict}" in ran.err
    assert skopeo_digest(fresh) == NEW.digest


def test_a_digest_that_nobody_has_is_a_negative_answer(judged: Live) -> None:
    """Exit 1 when the chosen mirrors do not have it, or the origin has no such tag; 4 when the origin is silent."""
    ran = judged.run("image", "craned", "--pin", "-m", "tampered", "-m", "missing", code=1)
    assert ran.out == ""
    assert "missing is missing" in ran.err
    assert "404" in judged.run("image", "craned", "--tag", "none", "--pin", code=1).err
    assert "refused" in judged.run("image", "craned", "--pin", "--trust", "dead", code=4).err


def test_another_place_can_be_trusted(judged: Live, registries: Registries) -> None:
    """--trust takes the digest from a mirror, and then the origin is one of those who may not have it."""
    ran = judged.run(
        "image", "craned", "--pin", "--trust", "tampered", "-m", "tampered", "-m", "origin", "-p", "reference"
    )
    assert ran.out == f"{registries.plain.authority}/copies/tampered@{OTHER.digest}\n"


def test_a_digest_under_another_tag_is_good_enough(judged: Live, registries: Registries) -> None:
    """Who pulls by digest gets it from a mirror whose tag has moved on already."""
    registries.plain.push("copies/ahead", "old", NEW)
    registries.plain.push("copies/ahead", "main", OTHER)
    place = f"{registries.plain.authority}/copies/ahead"
    judged.add("image", "craned", origin=f"{registries.origin.authority}/{PATH}", ahead=place)
    assert judged.run("image", "craned", "--pin", "-m", "ahead", "-p", "reference").out == f"{place}@{NEW.digest}\n"


# Busy registries


def test_a_busy_registry_is_waited_for_within_the_deadline(live: Live, registries: Registries) -> None:
    """429 with Retry-After is asked again when the deadline allows it, and is the cause where it does not."""
    with busy_front(live.folder / "nginx", registries.plain.authority) as front:
        for name in ("one", "two", "three"):
            for server in (registries.origin, registries.plain):
                server.push(f"busy/{name}", "main", NEW)
            live.add(
                "image",
                name,
                origin=f"{registries.origin.authority}/busy/{name}",
                busy=f"{front.authority}/busy/{name}",
            )
        rows = live.rows("check", "--timeout", "20")
        assert {row["verdict"] for row in rows} == {"fresh"}
        assert sum(line.endswith(" 429") for line in front.asked) >= 1
        ran = live.cli("check", "--timeout", "0.9", "-o", "json", "--no-project", "-c", str(live.catalogue))
    # Whether all were late or only some is a matter of time.
    assert ran.code in (0, 4)
    assert "rate limited, retry in 1 s" in [row["cause"] for row in rows_of(ran.out, "check")]


def test_a_front_that_moved_or_is_down(live: Live, registries: Registries) -> None:
    """A redirect is followed to the registry itself; 503 is the cause that it is."""
    with busy_front(live.folder / "nginx", registries.plain.authority, rate=100) as front:

        def at(folder: str) -> Responder:
            return lambda request: Response(307, {"Location": f"http://{front.authority}/{folder}{request.path}"})

        with web(at("moved")) as moved, web(at("down")) as down:
            live.add(
                "image",
                "craned",
                origin=f"{registries.origin.authority}/{PATH}",
                moved=f"{moved.authority}/{PATH}",
                down=f"{down.authority}/{PATH}",
            )
            rows = {row["mirror"]: row for row in live.rows("check", "craned")}
    assert rows["moved"]["verdict"] == "fresh"
    assert (rows["down"]["verdict"], rows["down"]["cause"]) == ("unreachable", "503")


def test_two_tags_of_one_image_are_told_apart(live: Live, tmp_path: Path) -> None:
    """Rows say which tag they are about, and no two samples of a gauge have the same labels."""
    with registry(tmp_path / "o") as origin, registry(tmp_path / "n") as near:
        for tag in ("main", "next"):
            origin.push("g/app", tag, NEW)
        near.push("g/app", "main", NEW)
        live.add("image", "app", origin=f"{origin.authority}/g/app", near=f"{near.authority}/g/app")
        out = live.run("check", "app:main", "app:next", "--output", "prometheus", code=1).out
        fresh = [line for line in out.splitlines() if line.startswith("crane_mirrors_up{")]
        assert [line.partition("what=")[2].partition(",")[0] for line in fresh] == ['"main"', '"next"']


@pytest.mark.parametrize("command", ["probe", "check"])
def test_time_that_is_no_number(live: Live, command: str) -> None:
    """A deadline must be one."""
    assert "nan is no time" in live.cli(command, "--timeout", "nan").err


def test_probe_with_a_login(live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --auth a registry that wants a password is measured like any other."""
    with registry(tmp_path / "r", password=True) as closed:
        closed.push("g/app", "main", NEW)
        live.add("image", "app", origin=f"{closed.authority}/g/app")
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        (tmp_path / "config.json").write_text(json.dumps({"auths": {closed.authority: {"auth": login}}}))
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
        assert live.row("probe", "app", code=4)["cause"] == "401, credentials needed"
        assert live.row("probe", "app", "--auth")["status"] == "alive"
        race = ("app:main", "--fastest", "--max-age", "0s")
        assert live.run("image", *race, code=4).err.endswith("401, credentials needed\n")
        assert live.run("image", *race, "--auth").out == f"docker pull {closed.authority}/g/app:main\n"
        known = ("image", f"app@{NEW.digest}", "--pin", "--auth", "-p", "reference")
        assert live.run(*known).out == f"{closed.authority}/g/app@{NEW.digest}\n"
        assert "origin is missing" in live.run(*known[:1], f"app@sha256:{64 * '0'}", *known[2:], code=1).err
        text = tmp_path / "text"
        text.write_text(f"image: {closed.authority}/g/app:main\n", encoding="utf-8")
        assert "401, credentials needed" in live.run("rewrite", "--pin", str(text), code=4).err
        pinned = live.run("rewrite", "--pin", "--auth", str(text)).out
        assert pinned == f"image: {closed.authority}/g/app@{NEW.digest}\n"


@pytest.mark.parametrize("command", ["image craned", "resolve craned", "resolve craned api", "pull craned"])
def test_a_login_that_nobody_is_shown(cli: CLI, command: str) -> None:
    """Who asks no registry is told that --auth does nothing."""
    ran = cli(*command.split(), "--auth")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "crane-mirrors: --auth is about --fastest and --pin: add one\n"
